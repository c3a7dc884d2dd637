"""Compares two computations of the same events, bit for bit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Comparison(NamedTuple):
    """How far a candidate is from its reference."""

    events: int
    mismatches: int
    """Events whose numbers are not exactly equal; NaN equals nothing."""
    max_abs_difference: float
    """Largest difference; NaN where a mismatch involves NaN."""
    first_index: int | None
    """The first event that differs, ``None`` where none does."""


def compare(reference: ArrayLike, candidate: ArrayLike) -> Comparison:
    """Compares two arrays element by element; equal means equal, without any tolerance.

    Args:
        reference: (n,) numbers.
        candidate: (n,) numbers.

    Returns:
        The number of mismatches and where they begin.

    Raises:
        ValueError: the shapes differ, are not (n,), or n is 0, which would prove nothing.
    """
    left = np.asarray(reference, dtype=np.float64)
    right = np.asarray(candidate, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"shapes {left.shape} and {right.shape} are not (n,) and (n,)")
    if left.size == 0:
        raise ValueError("no events to compare")
    different = ~(left == right)  # not "!=": NaN must count as different
    where = np.flatnonzero(different)
    if where.size == 0:
        return Comparison(left.size, 0, 0.0, None)
    with np.errstate(invalid="ignore"):  # infinities of the same sign are equal, others differ
        largest = float(np.max(np.abs(left[where] - right[where])))
    return Comparison(left.size, int(where.size), largest, int(where[0]))
