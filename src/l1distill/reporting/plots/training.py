"""Figures of a training: losses, score distributions, ROC curves; and the same as tables."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.roc import Roc, Separation
from l1distill.reporting.plots.style import BACKGROUND, COLORS, canvas, color, save
from l1distill.reporting.plots.style import label as label_of
from l1distill.training.fit import History

ROC_POINTS = 200
"""Points kept of each ROC curve in its table; even in the logarithm of the FPR."""


class Training(NamedTuple):
    """What a training left behind that is worth looking at."""

    history: History
    background: NDArray[np.floating[Any]]
    """(n,) scores of test events."""
    signals: Mapping[str, NDArray[np.floating[Any]]]
    """(m,) scores of each signal."""
    results: Mapping[str, Separation]
    score: str
    """What the score is called."""
    logarithmic: bool
    """Whether it spans orders of magnitude."""


def write_training(
    training: Training, folder: Path, teacher: Mapping[str, Roc] | None = None
) -> None:
    """Writes all figures of a training, and the tables that ``dvc plots`` draws.

    Args:
        training: what to show.
        folder: gets ``history.csv``, ``roc/<signal>.csv`` and ``plots/*.png``.
        teacher: curves to draw beside those of a student.
    """
    write_history(training.history, folder / "history.csv")
    for name, result in training.results.items():
        write_roc(result.roc, folder / "roc" / f"{name}.csv")
    plots = folder / "plots"
    draw_history(training.history, plots / "history.png")
    draw_scores(
        training.background,
        training.signals,
        plots / "scores.png",
        training.score,
        training.logarithmic,
    )
    draw_rocs(training.results, plots / "roc.png", teacher)


def draw_history(history: History, path: Path) -> None:
    """Draws both losses against the epoch."""
    figure, (ax,) = canvas()
    epochs = np.arange(1, len(history.loss) + 1)
    ax.plot(epochs, history.loss, label="training", color=COLORS["lq_btau"])
    ax.plot(epochs, history.validation_loss, label="validation", color=COLORS["a_4l"])
    ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    ax.legend(frameon=False)
    save(figure, path)


def write_history(history: History, path: Path) -> None:
    """Writes both losses as CSV."""
    rows = zip(range(1, len(history.loss) + 1), history.loss, history.validation_loss, strict=True)
    _write_csv(path, ("epoch", "loss", "validation_loss"), rows)


def draw_scores(
    background: NDArray[np.floating[Any]],
    signals: Mapping[str, NDArray[np.floating[Any]]],
    path: Path,
    label: str,
    log: bool,
) -> None:
    """Draws the distribution of an anomaly score.

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
    reference: Mapping[str, Roc] | None = None,
) -> None:
    """Draws ROC curves on log axes, as figures II and III of Govorkova et al.

    Args:
        results: of each signal.
        path: where to.
        reference: the teacher's curves, to draw dashed beside a student's.
    """
    figure, (ax,) = canvas()
    for name, result in results.items():
        label = f"{label_of(name)}  AUC {result.auc:.3f} ± {result.auc_error:.3f}"
        ax.plot(result.roc.fpr, result.roc.tpr, color=color(name), label=label)
        if reference is not None:
            ax.plot(reference[name].fpr, reference[name].tpr, "--", color=color(name), lw=1)
    if reference is not None:
        ax.plot([], [], "--", color="black", lw=1, label="teacher")
    diagonal = np.geomspace(1e-4, 1, 50)
    ax.plot(diagonal, diagonal, ":", color="black", lw=1, label="chance")
    ax.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1.2))
    ax.set(xlabel="false positive rate", ylabel="true positive rate")
    ax.legend(frameon=False, fontsize="small")
    save(figure, path)


def draw_scores_compared(results: Mapping[Any, Mapping[str, Separation]], folder: Path) -> None:
    """Draws every score's ROC curve of a signal in one figure, as figures II and III do.

    Args:
        results: score to signal to separation.
        folder: gets ``roc_<signal>.png`` for each signal.
    """
    styles = ("-", "--", ":")
    for signal in next(iter(results.values())):
        figure, (ax,) = canvas()
        for (score, separation), style in zip(results.items(), styles, strict=False):
            result = separation[signal]
            ax.plot(
                result.roc.fpr, result.roc.tpr, style, color=color(signal),
                label=f"{score}  AUC {result.auc:.3f} ± {result.auc_error:.3f}",
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", xlim=(1e-5, 1), ylim=(1e-5, 1.2))
        ax.set(xlabel="false positive rate", ylabel="true positive rate", title=label_of(signal))
        ax.legend(frameon=False)
        save(figure, folder / f"roc_{signal}.png")


def write_roc(roc: Roc, path: Path) -> None:
    """Writes a thinned ROC curve as CSV."""
    grid = np.geomspace(max(roc.fpr[roc.fpr > 0].min(), 1e-6), 1.0, ROC_POINTS)
    tpr = roc.tpr[np.searchsorted(roc.fpr, grid, side="right") - 1]
    _write_csv(path, ("fpr", "tpr"), zip(grid.tolist(), tpr.tolist(), strict=True))


def read_roc(path: Path) -> Roc:
    """Reads what :func:`write_roc` wrote."""
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return Roc(table[:, 0], table[:, 1])


def _write_csv(path: Path, header: Sequence[str], rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]
