"""Layers of two tensors."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers.base import BinaryLayer
from l1distill.firmware.network.value_range import Array, ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(BinaryLayer):
    """The sum of two tensors of one shape, element by element, without any loss."""

    def apply(self, x: Any, y: Any) -> Any:
        """Compute ``x + y``."""
        return x + y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Return the value range of the sums."""
        return ValueRange(
            low=x.low + y.low, high=x.high + y.high, fraction=max(x.fraction, y.fraction)
        )

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Return the largest absolute value of each sum."""
        return x.magnitude + y.magnitude

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the sums."""
        return results.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Subtract(BinaryLayer):
    """The difference of two tensors of one shape, element by element, without any loss."""

    def apply(self, x: Any, y: Any) -> Any:
        """Compute ``x - y``."""
        return x - y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Return the value range of the differences."""
        return ValueRange(
            low=x.low - y.high, high=x.high - y.low, fraction=max(x.fraction, y.fraction)
        )

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Return the largest absolute value of each difference."""
        return x.magnitude + y.magnitude

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the differences."""
        return results.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(BinaryLayer):
    """The product of two tensors of one shape, element by element, without any loss."""

    def apply(self, x: Any, y: Any) -> Any:
        """Compute ``x * y``."""
        return x * y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Return the value range of the products."""
        ends = np.stack([x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high])
        return ValueRange(
            low=ends.min(axis=0), high=ends.max(axis=0), fraction=x.fraction + y.fraction
        )

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Return the largest product: the partial sums of a multiplication are no larger."""
        return x.magnitude * y.magnitude

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the products."""
        return results.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Concatenate(BinaryLayer):
    """Two tensors side by side along an axis."""

    axis: int
    """Counted without events, from 0."""

    def apply(self, x: Any, y: Any) -> Any:
        """Compute both, ``x`` first."""
        return np.concatenate([x, y], axis=self.axis + 1)

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Return the value range of the elements of both."""
        low, high = (
            np.concatenate(ends, axis=self.axis) for ends in ((x.low, y.low), (x.high, y.high))
        )
        return ValueRange(low=low, high=high, fraction=max(x.fraction, y.fraction))

    def partial_sums(self, x: ValueRange, y: ValueRange) -> None:
        """Return nothing: no numbers are added up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type that holds the elements of both."""
        return results.type
