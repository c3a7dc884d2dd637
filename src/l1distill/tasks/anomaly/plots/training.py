"""Plots of a trained anomaly detector: score distributions and ROC curves."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.curves import Curve
from l1distill.evaluation.roc import Separation
from l1distill.reporting.plots.style import BACKGROUND, canvas, save
from l1distill.tasks.anomaly.plots.style import color
from l1distill.tasks.anomaly.plots.style import label as label_of


def draw_scores(
    background: NDArray[np.floating[Any]],
    signals: Mapping[str, NDArray[np.floating[Any]]],
    path: Path,
    label: str,
    log: bool,
) -> None:
    """Draw the distribution of an anomaly score.

    Args:
        background: (n,) scores.
        signals: (m,) scores of each signal.
        path: where to.
        label: of the score.
        log: whether scores span orders of magnitude.
    """
    figure, (ax,) = canvas()
    everything = np.concatenate([background, *signals.values()])
    low, high = everything.min(), np.quantile(everything, 0.999)
    edges = np.geomspace(low, high, 51) if log else np.linspace(low, high, 51)
    style: dict[str, Any] = {"bins": edges, "density": True}
    ax.hist(background, color=BACKGROUND, alpha=0.6, label="background", **style)
    for name, scores in signals.items():
        ax.hist(scores, histtype="step", color=color(name), label=label_of(name), **style)
    ax.set(xlabel=label, ylabel="density", yscale="log", xscale="log" if log else "linear")
    ax.legend(frameon=False)
    save(figure, path)


def draw_rocs(
    results: Mapping[str, Separation],
    path: Path,
    reference: Mapping[str, Curve] | None = None,
) -> None:
    """Draw ROC curves on log axes, as figures II and III of Govorkova et al.

    They end where ten background events are left.

    Args:
        results: of each signal.
        path: where to.
        reference: the teacher's curves, to draw dashed beside a student's.
    """
    figure, (ax,) = canvas()
    start = _start(results.values())
    for name, result in results.items():
        label = f"{label_of(name)}  AUC {result.auc:.3f} ± {result.auc_error:.3f}"
        ax.plot(*_from(result.roc.fpr, result.roc.tpr, start), color=color(name), label=label)
        if reference is not None:
            curve = reference[name]
            ax.plot(*_from(curve.x, curve.y, start), "--", color=color(name), lw=1)
    if reference is not None:
        ax.plot([], [], "--", color="black", lw=1, label="teacher")
    diagonal = np.geomspace(start, 1, 50)
    ax.plot(diagonal, diagonal, ":", color="black", lw=1, label="chance")
    ax.set(xscale="log", yscale="log", xlim=(start, 1), ylim=(start, 1.2))
    ax.set(xlabel="false positive rate", ylabel="true positive rate")
    ax.legend(frameon=False, fontsize="small")
    save(figure, path)


def draw_scores_compared(results: Mapping[Any, Mapping[str, Separation]], folder: Path) -> None:
    """Draw every score's ROC curve of a signal in one figure, as figures II and III do.

    Args:
        results: score to signal to separation.
        folder: gets ``roc_<signal>.png`` for each signal.
    """
    styles = ("-", "--", ":")
    for signal in next(iter(results.values())):
        figure, (ax,) = canvas()
        start = _start(separation[signal] for separation in results.values())
        for (score, separation), style in zip(results.items(), styles, strict=False):
            result = separation[signal]
            ax.plot(
                *_from(result.roc.fpr, result.roc.tpr, start), style, color=color(signal),
                label=f"{score}  AUC {result.auc:.3f} ± {result.auc_error:.3f}",
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=(start, 1), ylim=(start, 1.2))
        ax.set(xlabel="false positive rate", ylabel="true positive rate", title=label_of(signal))
        ax.legend(frameon=False)
        save(figure, folder / f"roc_{signal}.png")


def _start(results: Iterable[Separation]) -> float:
    """Return the smallest false positive rate that the background resolves, 0.1 at most."""
    return min([0.1, *(result.resolved_from for result in results if result.resolved_from > 0)])


def _from(
    fpr: NDArray[np.float64], tpr: NDArray[np.float64], start: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the part of a curve from a false positive rate on, and its point there."""
    first = max(int(np.searchsorted(fpr, start, side="right")) - 1, 0)
    return np.maximum(fpr[first:], start), tpr[first:]
