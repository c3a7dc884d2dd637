"""Compares two computations of the same events, bit for bit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Comparison(NamedTuple):
    """How far a candidate is from its reference."""

    events: int
    mismatches: int
    """Events whose numbers are not exactly equal; NaN equals nothing."""
    max_abs_difference: float
    """Largest difference; NaN where a mismatch involves NaN."""
    first_index: int | None
    """The first event that differs, ``None`` where none does."""
    where: str = ""
    """At which layer, in words, where that was looked for."""


def compare(reference: ArrayLike, candidate: ArrayLike) -> Comparison:
    """Compares two arrays element by element; equal means equal, without any tolerance.

    Args:
        reference: (n,) or (n, outputs) numbers; one that differs makes the event differ.
        candidate: as many numbers.

    Returns:
        The number of mismatches and where they begin.

    Raises:
        ValueError: the shapes differ, are of another kind, or are empty, which proves nothing.
    """
    left = np.asarray(reference, dtype=np.float64)
    right = np.asarray(candidate, dtype=np.float64)
    if left.shape != right.shape or left.ndim not in (1, 2):
        raise ValueError(f"shapes {left.shape} and {right.shape} are not both (n,) or (n, m)")
    if left.size == 0:
        raise ValueError("no events to compare")
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    different = ~(left == right)  # not "!=": NaN must count as different
    where = np.flatnonzero(different.any(axis=1))
    if where.size == 0:
        return Comparison(len(left), 0, 0.0, None)
    with np.errstate(invalid="ignore"):  # infinities of the same sign are equal, others differ
        largest = float(np.max(np.abs(left[different] - right[different])))
    return Comparison(len(left), int(where.size), largest, int(where[0]))


def differing(reference: ArrayLike, candidate: ArrayLike) -> NDArray[np.int64]:
    """Returns the events that :func:`compare` counts, of (n, outputs) numbers each."""
    different = ~(np.asarray(reference) == np.asarray(candidate))
    result: NDArray[np.int64] = np.flatnonzero(different.any(axis=1))
    return result
