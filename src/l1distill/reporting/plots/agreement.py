"""Student and teacher event by event: agreement against the rate, score against score."""

from pathlib import Path
from typing import Any

import numpy as np

from l1distill.evaluation.trigger_study import TriggerStudy
from l1distill.evaluation.working_points import smallest
from l1distill.reporting.plots.rocs import band
from l1distill.reporting.plots.style import canvas, panels, save

MOST_DOTS = 2_000
"""Events of a signal that are drawn as dots, from the first."""
BINS = 60
"""Of either score of the background."""
WHOLE = (0.001, 0.999)
"""Quantiles of the teacher's scores that the axes show."""


def draw_agreement(study: TriggerStudy, path: Path) -> None:
    """Draw the share of the teacher's accepted events that the student accepts at the same rate.

    The background's rate stands for the threshold, below as false positive rate and above in kHz;
    curves end where ten background events are left.

    Args:
        study: of a student.
        path: where to.
    """
    figure, (ax,) = canvas()
    for name, bands in study.fidelity.bands.items():
        if bands.agreement is not None:
            look = study.context.looks[name]
            band(ax, bands.fpr, bands.agreement, look.color, look.label)
    first = next(iter(study.fidelity.bands.values()))
    ax.plot(first.fpr, first.fpr, ":", color="black", lw=1, label="by chance")
    ax.set(xscale="log", xlim=(first.fpr[0], 1.0), ylim=(0.0, 1.05))
    ax.set(xlabel="false positive rate of either", ylabel="accepted by both / by the teacher")
    rate = study.context.input_rate_khz

    def to_khz(fpr: Any) -> Any:
        return fpr * rate

    def from_khz(khz: Any) -> Any:
        return khz / rate

    top = ax.secondary_xaxis("top", functions=(to_khz, from_khz))
    top.set_xlabel("trigger rate [kHz]")
    ax.legend(frameon=False, fontsize="small")
    save(figure, path)


def draw_score_against_score(study: TriggerStudy, path: Path) -> None:
    """Draw the student's score against what its teacher would have it be, a panel a sample.

    Gray shades are the background, on a logarithmic scale; lines are both thresholds of the
    smallest working point.

    Args:
        study: of a student.
        path: where to.
    """
    assert study.taught is not None
    background = study.context.background
    names = [background, *(name for name in study.scores if name != background)]
    every = np.concatenate([study.taught[name] for name in names])
    low, high = np.quantile(every, WHOLE)
    margin = 0.05 * (high - low) + 1e-9
    limits = (float(low - margin), float(high + margin))
    edges = np.linspace(*limits, BINS + 1)
    counts, _, _ = np.histogram2d(
        study.taught[background], study.scores[background], BINS, (limits, limits)
    )
    shades = np.log10(np.where(counts > 0, counts, np.nan)).T
    point = smallest(study.points)
    figure, (row,) = panels(len(names), (3.4,), width=3.0)
    for ax, name in zip(row, names, strict=True):
        look = study.context.looks[name]
        ax.pcolormesh(edges, edges, shades, cmap="Greys", vmin=-0.5, rasterized=True)
        if name != background:
            dots = slice(MOST_DOTS)
            ax.plot(
                study.taught[name][dots], study.scores[name][dots], ".", ms=2, alpha=0.5,
                color=look.color, rasterized=True,
            )  # fmt: skip
        ax.plot(limits, limits, color="black", lw=0.5)
        if point is not None:
            ax.axhline(study.points[point].threshold, color="black", lw=1, ls=":")
            ax.axvline(study.taught_points[point].threshold, color="black", lw=1, ls=":")
        ax.set(xlim=limits, ylim=limits, title=look.label, xlabel="teacher's score, as taught")
    row[0].set(ylabel="student's score")
    if point is not None:
        figure.suptitle(f"dotted: thresholds at FPR {point}", fontsize="small")
    save(figure, path)
