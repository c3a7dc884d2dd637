"""Bit-exact comparison of two computations of the same events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Comparison:
    """How many events of a candidate differ from their reference, and by how much."""

    events: int
    mismatches: int
    """Events with a number that is not exactly equal; NaN equals nothing."""
    max_abs_difference: float
    """Largest difference; NaN where a mismatch involves NaN."""
    first_index: int | None
    """Index of the first event that differs, ``None`` where none does."""
    first_difference: str = ""
    """At which layer the candidate differs first, in words, where that was searched for."""


def compare(reference: ArrayLike, candidate: ArrayLike) -> Comparison:
    """Compare two arrays element by element, exactly, without any tolerance.

    Args:
        reference: (n,) or (n, outputs) numbers; one that differs makes the event differ.
        candidate: numbers of the same shape.

    Returns:
        The number of events that differ, and the first of them.

    Raises:
        ValueError: the shapes differ, have another number of axes, or hold no events.
    """
    left = np.asarray(reference, dtype=np.float64)
    right = np.asarray(candidate, dtype=np.float64)
    if left.shape != right.shape or left.ndim not in (1, 2):
        raise ValueError(f"shapes {left.shape} and {right.shape} are not both (n,) or (n, m)")
    if left.size == 0:
        raise ValueError("no events to compare")
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    differs = _differs(left, right)
    indices = np.flatnonzero(differs.any(axis=1))
    if indices.size == 0:
        return Comparison(events=len(left), mismatches=0, max_abs_difference=0.0, first_index=None)
    with np.errstate(invalid="ignore"):  # infinities of the same sign are equal, others differ
        largest = float(np.max(np.abs(left[differs] - right[differs])))
    return Comparison(
        events=len(left),
        mismatches=int(indices.size),
        max_abs_difference=largest,
        first_index=int(indices[0]),
    )


def mismatching_events(reference: ArrayLike, candidate: ArrayLike) -> NDArray[np.int64]:
    """Return the indices of the events that :func:`compare` counts, of (n, outputs) numbers."""
    differs = _differs(np.asarray(reference), np.asarray(candidate))
    result: NDArray[np.int64] = np.flatnonzero(differs.any(axis=1))
    return result


def _differs(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = ~(left == right)  # not "!=": NaN must count as different
    return result
