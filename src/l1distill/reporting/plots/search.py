"""Pictures of a search: how far candidates are from the teacher, and what they cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import BACKGROUND, PALETTE, canvas, color_of, save


def draw_distances(distances: Mapping[str, Sequence[float]], folder: Path) -> Picture:
    """Draw the distribution of the distance to the teacher for each sample.

    Args:
        distances: mean squared error of each candidate that was trained in full, by sample.
        folder: to draw ``plots/mse_to_teacher.png`` into.
    """
    import numpy as np

    figure, (ax,) = canvas()
    values = np.concatenate([np.asarray(one) for one in distances.values()])
    low, high = max(values.min(), 1e-12), max(values.max(), 2e-12)
    edges = np.geomspace(low * 0.99, high * 1.01, 31).tolist()
    for name, of_sample in distances.items():
        ax.hist(
            list(of_sample), edges, histtype="step", label=name, color=color_of(name), linewidth=1.5
        )
    ax.set_xscale("log")
    ax.set_xlabel("MSE to the teacher")
    ax.set_ylabel("candidates")
    ax.legend(frameon=False)
    path = folder / FOLDER / "mse_to_teacher.png"
    save(figure, path)
    return Picture(
        caption="Distance to the teacher of candidates that were trained in full", path=path
    )


def draw_front(
    points: Sequence[tuple[float, float]], front: Sequence[tuple[float, float]], folder: Path
) -> Picture:
    """Draw loss against LUTs, and the candidates that no other is better than in loss and cost.

    Args:
        points: estimated LUTs and validation loss of each candidate that was trained in full.
        front: of those on the front.
        folder: to draw ``plots/front.png`` into.
    """
    figure, (ax,) = canvas()
    for some, color, label in (
        (points, BACKGROUND, "candidates"),
        (front, PALETTE[0], "front of loss, LUTs and cycles"),
    ):
        ax.plot(
            [lut for lut, _ in some],
            [loss for _, loss in some],
            "o",
            color=color,
            label=label,
            markersize=4,
        )
    if any(lut > 0 for lut, _ in points):
        ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("LUT (estimate)")
    ax.set_ylabel("validation loss")
    ax.legend(frameon=False)
    path = folder / FOLDER / "front.png"
    save(figure, path)
    return Picture(caption="Validation loss of candidates against their estimated LUTs", path=path)


def draw_importances(shares: Mapping[str, Mapping[str, float]], folder: Path) -> Picture:
    """Draw how much each question of a search decides.

    Args:
        shares: of what is decided, the share of each question by its name.
        folder: to draw ``plots/importances.png`` into.
    """
    import numpy as np

    figure, (ax,) = canvas()
    questions = [*next(iter(shares.values()))][::-1]
    places, height = np.arange(len(questions)), 0.8 / len(shares)
    for number, (name, of_each) in enumerate(shares.items()):
        ax.barh(
            places + (0.5 * (len(shares) - 1) - number) * height,
            [of_each.get(question, 0.0) for question in questions],
            height,
            color=PALETTE[number],
            label=name.replace("_", " "),
        )
    ax.set_yticks(places, questions)
    ax.set_xlabel("importance (PED-ANOVA)")
    ax.legend(frameon=False)
    path = folder / FOLDER / "importances.png"
    save(figure, path)
    return Picture(
        caption="What decides whether a candidate is among the best tenth, after the first rung",
        path=path,
    )
