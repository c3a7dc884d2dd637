"""The floor: scores that no network computes, beside which every teacher and student is shown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.context import ScoreContext
from l1distill.evaluation.roc import Separation, separations, to_metrics

PREFIX = "trivial"
BEST = "best"
TAIL = 0.01
"""Share of the background beyond which its tail is taken as exponential."""


def trivial_separations(context: ScoreContext) -> dict[str, dict[str, Separation]]:
    """Measure how each trivial score separates each signal from the background.

    Args:
        context: the scores.

    Returns:
        Score to signal to separation.
    """
    results = {}
    for score, by_sample in context.trivial.items():
        signals = {name: s for name, s in by_sample.items() if name != context.background}
        results[score] = separations(by_sample[context.background], signals)
    return results


def trivial_metrics(results: Mapping[str, Mapping[str, Separation]]) -> dict[str, float]:
    """Return ``trivial/<score>/auc/<signal>`` and what else :func:`.roc.to_metrics` gives.

    ``trivial/best/auc/<signal>`` is the largest AUC of any of them with its error, and
    ``trivial/best/tpr_fpr<point>/<signal>`` the largest TPR with its interval, for gates.

    Args:
        results: of :func:`trivial_separations`.
    """
    by_score = {score: to_metrics(by_signal) for score, by_signal in results.items()}
    metrics = {
        f"{PREFIX}/{score}/{name}": value
        for score, values in by_score.items()
        for name, value in values.items()
    }
    for signal in next(iter(results.values()), {}):
        points = next(iter(results.values()))[signal].tpr
        for quantity, suffixes in (
            ("auc", ("", "_error")),
            *((f"tpr_fpr{point}", ("", "_low", "_high")) for point in points),
        ):
            best = max(by_score.values(), key=lambda v, q=quantity: v[f"{q}/{signal}"])  # type: ignore[misc]
            for suffix in suffixes:
                name = f"{quantity}{suffix}/{signal}"
                metrics[f"{PREFIX}/{BEST}/{name}"] = best[name]
    return metrics


def rank_score(
    values: NDArray[np.floating[Any]], background: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return how rare values are, R(x) = -log of the share of the background at x or above.

    Beyond the upper :data:`TAIL` of the background an exponential with the mean of what lies there
    goes on, so that the scale of two quantities is the same and their ranks may be added.

    Args:
        values: (n,) of any events.
        background: (m,) of the training background.

    Raises:
        ValueError: there is no background.
    """
    if len(background) == 0:
        raise ValueError("no background to rank values against")
    ranked = np.sort(np.asarray(background, dtype=np.float64))
    start = ranked[min(int((1.0 - TAIL) * len(ranked)), len(ranked) - 1)]
    beyond = ranked[ranked > start]
    at_start = (len(ranked) - np.searchsorted(ranked, start, side="left")) / len(ranked)
    share = 1.0 - np.searchsorted(ranked, values, side="left") / len(ranked)
    inside = -np.log(np.maximum(share, at_start))
    # without anything beyond there is no slope to measure: a step of 1 keeps the order
    slope = float((beyond - start).mean()) if len(beyond) else 1.0
    return np.where(values > start, -np.log(at_start) + (values - start) / slope, inside)
