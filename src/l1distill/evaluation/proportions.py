"""Shares of events, and their Wilson intervals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.683
"""Of an interval: one standard error on each side."""


def wilson(passed: Any, events: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Wilson interval of 68.3% of shares, as arrays (Wilson, JASA 22 (1927) 209).

    SciPy's ``binomtest`` gives the same numbers, one at a time, after a test that nobody asks for.

    Args:
        passed: numbers of events.
        events: of so many; above zero.
    """
    from scipy.special import ndtri

    k, n = np.broadcast_arrays(np.asarray(passed, np.int64), np.asarray(events, np.int64))
    z = ndtri(0.5 + 0.5 * CONFIDENCE)
    share = k / n
    denominator = 2 * (n + z**2)
    center = (2 * n * share + z**2) / denominator
    half = z / denominator * np.sqrt(4 * n * share * (1 - share) + z**2)
    return np.where(k == 0, 0.0, center - half), np.where(k == n, 1.0, center + half)
