"""ROC curves of each signal in a panel of its own, with error bands and trivial scores."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.fidelity import STUDENT, TEACHER
from l1distill.evaluation.trigger_study import TriggerStudy
from l1distill.reporting.plots.style import PALETTE, panels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from l1distill.evaluation.resampling import Estimate

TRIVIAL_STYLES = ("-", "--", ":", "-.")
TRIVIAL_COLORS = (*PALETTE[4:], "#444444")


def draw_rocs(study: TriggerStudy, path: Path) -> None:
    """Draw the ROC curves of each signal, and below them student over teacher.

    Curves end where ten background events are left (figure 5 of Lorusso et al. 2024, with bands
    of 68%).

    Args:
        study: with bands of each signal.
        path: where to.
    """
    signals = [name for name in study.scores if name != study.context.background]
    student = study.taught is not None
    figure, rows = panels(len(signals), (3.6, 1.6) if student else (3.6,))
    for column, signal in enumerate(signals):
        bands, look = study.fidelity.bands[signal], study.context.looks[signal]
        ax = rows[0][column]
        _draw_trivial(ax, study, signal, float(bands.fpr[0]))
        band(ax, bands.fpr, bands.tpr[TEACHER], "black", "teacher", "--")
        if student:
            band(ax, bands.fpr, bands.tpr[STUDENT], look.color, "student")
        ax.plot(bands.fpr, bands.fpr, color="black", lw=0.5)
        ax.set(xscale="log", yscale="log", title=look.label)
        ax.set(xlim=(bands.fpr[0], 1.0), ylim=(bands.fpr[0], 1.3))
        if bands.ratio is not None:
            below = rows[1][column]
            band(below, bands.fpr, bands.ratio, look.color, None)
            below.axhline(1.0, color="black", lw=1, ls="--")
            below.set(ylim=(0.0, max(1.3, 1.1 * float(np.nanmax(bands.ratio.value)))))
        rows[-1][column].set(xlabel="false positive rate")
    rows[0][0].set(ylabel="true positive rate")
    if student:
        rows[1][0].set(ylabel="student / teacher")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small"
    )
    save(figure, path)


def band(
    ax: "Axes",
    x: NDArray[np.float64],
    curve: "Estimate",
    color: str,
    label: str | None,
    style: str = "-",
) -> None:
    """Draw a curve with the band of its interval."""
    ax.fill_between(x, curve.low, curve.high, color=color, alpha=0.2, lw=0)
    ax.plot(x, curve.value, style, color=color, lw=1.5, label=label)


def _draw_trivial(ax: "Axes", study: TriggerStudy, signal: str, start: float) -> None:
    grid = np.geomspace(start, 1.0, 80)
    for number, (name, by_signal) in enumerate(study.trivial.items()):
        roc = by_signal[signal].roc
        tpr = roc.tpr[np.searchsorted(roc.fpr, grid, side="right") - 1]
        style = TRIVIAL_STYLES[number % len(TRIVIAL_STYLES)]
        color = TRIVIAL_COLORS[number % len(TRIVIAL_COLORS)]
        ax.plot(grid, tpr, style, lw=0.8, color=color, label=name.replace("_", " "))
