"""Pictures of a data set of jets: mass peak, b content, features, ROC curves of single features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Items
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import BACKGROUND, canvas, save
from l1distill.tasks.jets.checks import HIGGS_MASS, single_auc
from l1distill.tasks.jets.dataset import B_HADRONS, LABEL
from l1distill.tasks.jets.features import FEATURES
from l1distill.tasks.jets.statistics import Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNAL = "#bd1f01"
"""Color of the signal."""
_IN_ROC = 6
_PER_PICTURE = 3


def draw_jets(items: Items, statistics: Statistics, folder: Path) -> list[Picture]:
    """Draw a data set into ``folder/plots``.

    Args:
        items: jets (n, numbers) with the column ``label``, and ``b_hadrons`` where it is known.
        statistics: what the numbers are.
        folder: of the data set.
    """
    plots = folder / FOLDER
    label = items.columns[LABEL]
    names = [words_of(name) for name in statistics.classes]
    column = dict(zip(statistics.features, items.values.T, strict=False))
    pictures = []
    if B_HADRONS in items.columns:
        figure, (ax,) = canvas()
        _bands(ax, column["softdrop_mass"], label, np.linspace(0, 200, 51), names)
        ax.axvline(HIGGS_MASS, color="black", lw=1, ls="--", label=f"{HIGGS_MASS:g} GeV")
        ax.set(xlabel="soft-drop mass [GeV]", ylabel="share of jets")
        ax.legend(frameon=False)
        save(figure, plots / "softdrop_mass.png")
        figure, (ax,) = canvas()
        _bands(ax, items.columns[B_HADRONS], label, np.arange(-0.5, 6.0), names)
        ax.set(xlabel="b hadrons in the jet", ylabel="share of jets")
        ax.legend(frameon=False)
        save(figure, plots / "b_hadrons.png")
        pictures = [
            Picture(caption="Soft-drop mass of signal and QCD", path=plots / "softdrop_mass.png"),
            Picture(caption="b hadrons in jets, from truth", path=plots / "b_hadrons.png"),
        ]
    features = list(column)
    for start in range(0, len(features), _PER_PICTURE):
        shown = features[start : start + _PER_PICTURE]
        figure, axes = canvas(_PER_PICTURE, width=4.0, height=3.2)
        for ax, name in zip(axes, shown, strict=False):
            words, unit = FEATURES.get(name, (name, ""))
            low, high = np.quantile(column[name], (0.002, 0.998))
            high = high if high > low else low + 1.0
            _bands(ax, column[name], label, np.linspace(low, high, 41), names)
            ax.set(xlabel=f"{words} [{unit}]" if unit else words, ylabel="share of jets")
        for ax in axes[len(shown) :]:
            ax.set_axis_off()
        axes[0].legend(frameon=False)
        path = plots / f"features_{1 + start // _PER_PICTURE:02d}.png"
        save(figure, path)
        caption = "Features, with bands of one standard error: " + ", ".join(shown)
        pictures.append(Picture(caption=caption, path=path))
    decoy = ["phi"] if "phi" in column else []
    _draw_rocs(column, label, plots / "single_features.png", decoy)
    caption = "ROC curves of the best single features"
    caption += ", and of phi, which separates nothing" if decoy else ""
    return [*pictures, Picture(caption=caption, path=plots / "single_features.png")]


def words_of(name: str) -> str:
    """Return how a class is called in pictures."""
    return {"qcd": "QCD", "h_bb": "H → bb"}.get(name, name)


def _bands(
    ax: "Axes",
    values: NDArray[Any],
    label: NDArray[np.int8],
    edges: NDArray[np.floating[Any]],
    names: Sequence[str],
) -> None:
    """Draw the shares of both classes in bins, with their standard errors."""
    for code, (name, color) in enumerate(zip(names, (BACKGROUND, SIGNAL), strict=True)):
        chosen = values[label == code]
        counts, _ = np.histogram(chosen, bins=edges)
        share, error = counts / max(len(chosen), 1), np.sqrt(counts) / max(len(chosen), 1)
        ax.stairs(share, edges, color=color, label=name)
        ax.stairs(share + error, edges, baseline=share - error, color=color, alpha=0.3, fill=True)


def _draw_rocs(
    column: dict[str, NDArray[Any]], label: NDArray[np.int8], path: Path, decoy: Sequence[str]
) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    separation = {name: single_auc(values, label) for name, values in column.items()}
    best = sorted(separation, key=lambda name: -separation[name])[:_IN_ROC]
    figure, (ax,) = canvas()
    for name in [*best, *(set(decoy) - set(best))]:
        sign = 1.0 if roc_auc_score(label, column[name]) >= 0.5 else -1.0
        fpr, tpr, _ = roc_curve(label, sign * column[name])
        ax.plot(tpr, fpr, label=f"{FEATURES.get(name, (name,))[0]}: {separation[name]:.3f}")
    ax.set(
        xlabel="share of signal jets",
        ylabel="share of background jets",
        yscale="log",
        ylim=(1e-4, 1.0),
    )
    ax.legend(frameon=False, title="AUC", fontsize="small")
    save(figure, path)


def draw_scores(
    scores: NDArray[np.floating[Any]],
    label: NDArray[np.int8],
    path: Path,
    words: str,
    classes: Sequence[str],
) -> None:
    """Draw the distribution of a model's answers (n,) for both classes."""
    figure, (ax,) = canvas()
    low, high = np.quantile(scores, (0.001, 0.999))
    names = [words_of(name) for name in classes]
    _bands(ax, scores, label, np.linspace(low, max(high, low + 1e-3), 51), names)
    ax.set(xlabel=words, ylabel="share of jets", yscale="log")
    ax.legend(frameon=False)
    save(figure, path)
