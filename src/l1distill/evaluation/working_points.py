"""Working points: the false positive rates that a background resolves, and their thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.roc import FPR_POINTS, resolves

GRID_POINTS = 40
"""Points of a curve over the false positive rate, even in its logarithm."""


@dataclass(frozen=True, kw_only=True)
class WorkingPoint:
    """A threshold on a score.

    Attributes:
        fpr: share of the background that may be accepted at most.
        allowed: the same as a number of background events.
        threshold: an event is accepted if its score is at least this, the next number after the
            highest background score that is refused.
    """

    fpr: float
    allowed: int
    threshold: float

    def accepts(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Return which scores (n,) are accepted."""
        return np.asarray(scores >= self.threshold)


def working_points(background: NDArray[np.floating[Any]]) -> dict[str, WorkingPoint]:
    """Find the thresholds of those points of :data:`.roc.FPR_POINTS` that a background resolves.

    Args:
        background: (n,) scores.

    Returns:
        The points by their name in metrics (``1e-3``), the largest false positive rate first. At
        each threshold the same events are accepted as in :func:`.roc.separation`.
    """
    ranked = np.sort(background)
    points = {}
    for name, fpr in FPR_POINTS.items():
        if resolves(fpr, len(ranked)):
            allowed = count_at(fpr, len(ranked))
            refused = highest_refused(ranked, fpr)  # and what equals it
            threshold = float(np.nextafter(refused, np.inf, dtype=ranked.dtype))
            points[name] = WorkingPoint(fpr=fpr, allowed=allowed, threshold=threshold)
    return points


def smallest(points: Mapping[str, WorkingPoint]) -> str | None:
    """Return the name of the smallest resolved false positive rate; None if none is resolved."""
    return min(points, key=lambda name: points[name].fpr, default=None)


def count_at(fpr: float, background: int) -> int:
    """Return how many of ``background`` events may pass at most, for a false positive rate."""
    return int(np.floor(fpr * background + 1e-9))


def highest_refused(ranked: NDArray[np.floating[Any]], fpr: float) -> np.floating[Any]:
    """Return the highest score that is refused where at most a share of the events is accepted.

    Args:
        ranked: (n,) rising scores.
        fpr: the share, below 1.
    """
    refused: np.floating[Any] = ranked[len(ranked) - count_at(fpr, len(ranked)) - 1]
    return refused


def fpr_grid(background: int) -> NDArray[np.float64]:
    """Return false positive rates for a curve, from the smallest that is resolved to 1.

    Args:
        background: number of events; a curve ends where fewer than ten of them would be left.
    """
    lowest = next(k for k in range(1, background + 1) if resolves(k / background, background))
    return np.geomspace(lowest / background, 1.0, GRID_POINTS)
