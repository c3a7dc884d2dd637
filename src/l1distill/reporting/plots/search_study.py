"""Pictures of searches beside one another (figures 3 to 5 of Lorusso et al. 2024)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from l1distill.evaluation.curves import Curve
from l1distill.evaluation.searches import Search
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import BACKGROUND, PALETTE, canvas, panels, save

STRATEGY_COLORS = {
    name: PALETTE[place] for place, name in enumerate(("post", "co", "front", "hgq"))
}
TEACHER, STUDENT = "teacher", "student"
_BINS = 31


def color(strategy: str) -> str:
    """Return the color of a strategy in every picture."""
    return STRATEGY_COLORS.get(strategy, BACKGROUND)


def draw_signal_distances(
    searches: Sequence[Search], signals: Sequence[str], folder: Path
) -> Picture:
    """Draw the distribution of the distance to the teacher, a panel a signal (figures 3 and 4).

    Args:
        searches: one of each strategy.
        signals: names.
        folder: to draw ``plots/search_mse.png`` into.
    """
    figure, (row,) = panels(len(signals), (3.2,))
    for ax, signal in zip(row, signals, strict=True):
        values = np.concatenate([one.distances[signal] for one in searches])
        edges = np.geomspace(values.min() * 0.99, values.max() * 1.01, _BINS).tolist()
        for one in searches:
            share = np.full(len(one.loss), 1.0 / len(one.loss))
            ax.hist(
                one.distances[signal],
                edges,
                weights=share,
                histtype="step",
                color=color(one.strategy),
                label=f"{one.strategy} ({len(one.loss)})",
                linewidth=1.5,
            )
            ax.axvline(one.distances[signal][one.best], color=color(one.strategy), lw=1, ls=":")
        ax.set(xscale="log", title=signal, xlabel="MSE to the teacher")
    row[0].set_ylabel("share of candidates")
    row[0].legend(frameon=False, fontsize="small")
    path = folder / FOLDER / "search_mse.png"
    save(figure, path)
    return Picture(
        caption="Distance to the teacher of candidates trained in full, by strategy; dotted, the "
        "one with the least validation loss",
        path=path,
    )


def draw_best_rocs(
    curves: Mapping[str, Mapping[str, Mapping[str, Curve]]], signals: Sequence[str], folder: Path
) -> Picture:
    """Draw ROC curves of the best student of each strategy over its teacher (figure 5).

    Args:
        curves: of each strategy, ``student`` and ``teacher``, by signal.
        signals: names.
        folder: to draw ``plots/search_roc.png`` into.
    """
    figure, (upper, lower) = panels(len(signals), (3.2, 1.6))
    for column, signal in enumerate(signals):
        for number, (strategy, both) in enumerate(curves.items()):
            teacher, student = both[TEACHER][signal], both[STUDENT][signal]
            if not number:
                upper[column].plot(teacher.x, teacher.y, "k--", lw=1.2, label=TEACHER)
            upper[column].plot(student.x, student.y, color=color(strategy), label=strategy)
            known = np.interp(student.x, teacher.x, teacher.y)
            ratio = np.divide(student.y, known, out=np.full_like(known, np.nan), where=known > 0)
            lower[column].plot(student.x, ratio, color=color(strategy))
        start = min(float(of[signal].x[0]) for one in curves.values() for of in one.values())
        upper[column].set(xscale="log", yscale="log", title=signal)
        upper[column].set(xlim=(max(start, 1e-4), 1.0), ylim=(1e-4, 1.3))
        lower[column].axhline(1.0, color="black", lw=1, ls="--")
        lower[column].set(ylim=(0.0, 1.5), xlabel="false positive rate")
    upper[0].set_ylabel("true positive rate")
    lower[0].set_ylabel("student / teacher")
    upper[0].legend(frameon=False, fontsize="small")
    path = folder / FOLDER / "search_roc.png"
    save(figure, path)
    return Picture(
        caption="ROC curves of the best student of each search and of its teacher", path=path
    )


def draw_compute(searches: Sequence[Search], folder: Path) -> Picture:
    """Draw the least validation loss against CPU time, a line for each search.

    Args:
        searches: of all strategies and seeds.
        folder: to draw ``plots/search_compute.png`` into.
    """
    figure, (ax,) = canvas()
    seen: set[str] = set()
    for one in searches:
        seconds, losses = one.progress
        good = np.isfinite(losses)
        label = None if one.strategy in seen else one.strategy
        seen.add(one.strategy)
        ax.step(
            seconds[good], losses[good], where="post", color=color(one.strategy), label=label, lw=1
        )
    ax.set(xscale="log", yscale="log", xlabel="CPU time [s]", ylabel="least validation loss")
    ax.legend(frameon=False)
    path = folder / FOLDER / "search_compute.png"
    save(figure, path)
    return Picture(caption="What each search had reached, against CPU time", path=path)
