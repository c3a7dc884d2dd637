"""Shares of events, and their Wilson intervals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.683
"""Of an interval: one standard error on each side."""


def wilson(passed: Any, events: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Wilson interval of 68.3% of shares, as arrays (Wilson, JASA 22 (1927) 209).

    Args:
        passed: numbers of events.
        events: of so many; above zero.
    """
    from scipy.stats import binomtest

    def interval(passed: int, events: int) -> tuple[float, float]:
        low, high = binomtest(int(passed), int(events)).proportion_ci(CONFIDENCE, method="wilson")
        return float(low), float(high)

    low, high = np.vectorize(interval, otypes=[np.float64, np.float64])(passed, events)
    return low, high
