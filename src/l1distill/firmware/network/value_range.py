"""The value range of a tensor: what each of its elements can hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.firmware.network.fixed_point import FixedPoint, smallest_type

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ValueRange:
    """The smallest and largest value of each element of a tensor, and one grid for all of them."""

    low: Array
    """The smallest value of each element, in the shape of the tensor without events."""
    high: Array
    """The largest value of each element."""
    fraction: int
    """Every value is a multiple of ``2**-fraction``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor of one event."""
        return self.low.shape

    @property
    def size(self) -> int:
        """The number of elements of the tensor of one event."""
        return self.low.size

    @property
    def magnitude(self) -> Array:
        """The largest absolute value of each element."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def type(self) -> FixedPoint:
        """The narrowest type that holds every element without loss."""
        return smallest_type(float(self.low.min()), float(self.high.max()), self.fraction)

    @property
    def positive_type(self) -> FixedPoint:
        """The type that cuts every element at zero and changes no other number."""
        integer = max(self.type.integer, 1 - self.fraction)
        return FixedPoint(
            signed=False, integer=integer, fraction=self.fraction, rounding="TRN", overflow="SAT"
        )


def value_range_of(fixed_type: FixedPoint, shape: ArrayLike) -> ValueRange:
    """Return the value range of a tensor whose elements all have the same type.

    Args:
        fixed_type: the type of each element.
        shape: the shape of the tensor without events, or the number of elements of a vector.
    """
    size = tuple(np.atleast_1d(shape).tolist())
    return ValueRange(
        low=np.full(size, fixed_type.low),
        high=np.full(size, fixed_type.high),
        fraction=fixed_type.fraction,
    )


def value_range_of_each(types: Sequence[FixedPoint]) -> ValueRange:
    """Return the value range of a vector whose elements have these types."""
    return ValueRange(
        low=np.array([fixed_type.low for fixed_type in types]),
        high=np.array([fixed_type.high for fixed_type in types]),
        fraction=max(fixed_type.fraction for fixed_type in types),
    )
