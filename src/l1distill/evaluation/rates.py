"""Trigger rates [kHz]: what a threshold means, in total and beside the reference triggers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.context import ScoreContext, Scores
from l1distill.evaluation.metric_names import with_suffix
from l1distill.evaluation.proportions import wilson
from l1distill.evaluation.roc import RESOLVED_FROM
from l1distill.evaluation.working_points import smallest, working_points

CURVE_POINTS = 80


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """Rate against threshold, (k,) each, with intervals of 68.3% [kHz].

    Attributes:
        threshold: rising, up to where ten background events are left.
        total: rate of all accepted events: value, low, high.
        pure: rate of those that no reference trigger takes, up to where ten are left; NaN beyond.
    """

    threshold: NDArray[np.float64]
    total: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    pure: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def rate_metrics(scores: Scores, context: ScoreContext) -> dict[str, float]:
    """Return the thresholds and rates of the working points that the background resolves.

    Args:
        scores: of the evaluation items of each sample.
        context: input rate and reference triggers.

    Returns:
        ``threshold_fpr<point>``, ``rate_khz_fpr<point>`` and ``pure_rate_khz_fpr<point>`` with
        ``_low`` and ``_high``, ``working_point_fpr``, and ``reference_rate_khz/<trigger>``, that of
        each reference trigger alone, ``rate_khz_at_<percent>/<signal>``, that of the highest
        threshold which keeps such a share of a signal, and ``input_rate_khz``, from which they are
        counted.
    """
    background = scores[context.background]
    points, taken = working_points(background), context.taken(context.background)
    metrics: dict[str, float] = {"input_rate_khz": context.input_rate_khz}
    for name, decisions in context.triggers.items():
        _put(metrics, f"reference_rate_khz/{name}", decisions[context.background], context)
    for name, point in points.items():
        accepted = point.accepts(background)
        metrics[f"threshold_fpr{name}"] = point.threshold
        _put(metrics, f"rate_khz_fpr{name}", accepted, context)
        if taken is not None:
            _put(metrics, f"pure_rate_khz_fpr{name}", accepted & ~taken, context)
    for name in (one for one in scores if one != context.background):
        for percent in context.efficiencies:
            threshold = threshold_at(scores[name], percent / 100)
            _put(metrics, f"rate_khz_at_{percent}/{name}", background >= threshold, context)
    best = smallest(points)
    if best is not None:
        metrics["working_point_fpr"] = points[best].fpr
    return metrics


def threshold_at(signal: NDArray[np.floating[Any]], efficiency: float) -> float:
    """Return the highest threshold that keeps a share of a signal (n,) at least."""
    kept = int(np.ceil(efficiency * len(signal)))
    return float(np.sort(signal)[len(signal) - kept])


def rate_curve(scores: Scores, context: ScoreContext) -> RateCurve | None:
    """Return the rates over the threshold; None where the background has too few events.

    Args:
        scores: of the evaluation items of each sample.
        context: input rate and reference triggers.
    """
    background = scores[context.background].astype(np.float64)
    taken = context.taken(context.background)
    ranked, number = np.sort(background), len(background)
    if number < 2 * RESOLVED_FROM:
        return None
    highest = ranked[number - int(RESOLVED_FROM)]
    thresholds = np.linspace(ranked[0], highest, CURVE_POINTS)

    def rates(values: NDArray[np.float64]) -> tuple[Any, Any, Any]:
        left = len(values) - np.searchsorted(np.sort(values), thresholds, side="left")
        low, high = wilson(left, number)
        enough = left >= RESOLVED_FROM
        shares = (left / number, low, high)
        value, low, high = (
            np.where(enough, context.input_rate_khz * share, np.nan) for share in shares
        )
        return value, low, high

    pure = background if taken is None else background[~taken]
    return RateCurve(threshold=thresholds, total=rates(background), pure=rates(pure))


def _put(
    metrics: dict[str, float], name: str, accepted: NDArray[np.bool_], context: ScoreContext
) -> None:
    passed, events = int(accepted.sum()), len(accepted)
    low, high = wilson(passed, events)
    for suffix, share in (("", passed / events), ("_low", low), ("_high", high)):
        metrics[with_suffix(name, suffix)] = context.input_rate_khz * float(share)
