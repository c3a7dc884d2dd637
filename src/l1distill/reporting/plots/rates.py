"""Trigger rates against the threshold, and turn-on curves at the working point."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.proportions import wilson
from l1distill.evaluation.rates import rate_curve
from l1distill.evaluation.trigger_study import TriggerStudy
from l1distill.evaluation.working_points import smallest
from l1distill.reporting.plots.style import BACKGROUND, PALETTE, canvas, panels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10
LEAST = 10
"""Events in a bin that an efficiency is shown of."""


def draw_rates(study: TriggerStudy, path: Path) -> bool:
    """Draw the rate that a threshold means, in total and beside the reference triggers.

    Args:
        study: of a teacher or a student.
        path: where to.

    Returns:
        Whether there were events enough to draw anything.
    """
    curve = rate_curve(study.scores, study.context)
    if curve is None:
        return False
    figure, (ax,) = canvas()
    has_triggers = bool(study.context.triggers)
    lines = [("all accepted events", curve.total, BACKGROUND, "-")]
    if has_triggers:
        lines.append(("pure: no reference trigger takes them", curve.pure, PALETTE[1], "-"))
    for label, (value, low, high), color, style in lines:
        ax.fill_between(curve.threshold, low, high, color=color, alpha=0.3, lw=0)
        ax.plot(curve.threshold, value, style, color=color, label=label)
    if study.taught is not None:
        teacher = rate_curve(study.taught, study.context)
        if teacher is not None:
            ax.plot(teacher.threshold, teacher.total[0], "--", color="black", lw=1, label="teacher")
    point = smallest(study.points)
    if point is not None:
        threshold = study.points[point].threshold
        ax.axvline(threshold, color="black", lw=1, ls=":", label=f"FPR {point}")
    ax.set(xlabel="threshold on the score", ylabel="trigger rate [kHz]", yscale="log")
    if study.taught is None and float(np.min(curve.threshold)) > 0:
        ax.set(xscale="log")
    ax.legend(frameon=False, fontsize="small")
    save(figure, path)
    return True


def draw_turn_on(study: TriggerStudy, path: Path) -> bool:
    """Draw the efficiency at the smallest working point against each observable.

    Args:
        study: of a teacher or a student; a student's teacher is drawn dashed.
        path: where to.

    Returns:
        Whether there is a working point, and something to draw against.
    """
    point = smallest(study.points)
    if point is None or not study.context.observables:
        return False
    figure, (row,) = panels(len(study.context.observables), (3.6,), width=4.2)
    for ax, observable in zip(row, study.context.observables.values(), strict=True):
        every = np.concatenate(list(observable.values.values()))
        edges = np.linspace(float(every.min()), float(np.quantile(every, 0.99)), BINS + 1)
        for name, values in observable.values.items():
            look = study.context.looks[name]
            accepted = study.points[point].accepts(study.scores[name])
            _efficiency(ax, values, accepted, edges, color=look.color, label=look.label)
            if study.taught is not None:
                taught = study.taught_points[point].accepts(study.taught[name])
                _efficiency(ax, values, taught, edges, color=look.color, errors=False)
        ax.set(xlabel=observable.label, ylim=(-0.02, 1.05))
    row[0].set(ylabel=f"efficiency at FPR {point}")
    if study.taught is not None:
        row[0].plot([], [], "--", color="black", lw=1, label="teacher")
    row[0].legend(frameon=False, fontsize="small")
    save(figure, path)
    return True


def _efficiency(
    ax: "Axes",
    values: NDArray[np.floating[Any]],
    accepted: NDArray[np.bool_],
    edges: NDArray[np.float64],
    color: str,
    label: str | None = None,
    errors: bool = True,
) -> None:
    """Draw the accepted share in bins of at least :data:`LEAST` events."""
    total = np.histogram(values, edges)[0]
    passed = np.histogram(values[accepted], edges)[0]
    full = total >= LEAST
    if not full.any():
        return
    centers = (0.5 * (edges[1:] + edges[:-1]))[full]
    share = passed[full] / total[full]
    if not errors:
        ax.plot(centers, share, "--", color=color, lw=1)
        return
    low, high = wilson(passed[full], total[full])
    ax.errorbar(
        centers, share, (share - low, high - share), fmt="o-", ms=3, lw=1, color=color, label=label
    )
