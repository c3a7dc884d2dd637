"""Layers that treat every element of one tensor by itself."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, hull_of, quantize_columns
from l1distill.firmware.network.layers.base import UnaryLayer
from l1distill.firmware.network.value_range import Array, ValueRange

_WIDE = 64
"""Bits before the point of a number that has not wrapped yet."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantize(UnaryLayer):
    """Rounding and clipping to ``type``; an unsigned type makes it a ReLU as well.

    Negative numbers are multiplied by ``negative_slope`` before that: a leaky ReLU.
    """

    type: FixedPoint
    negative_slope: float = 1.0
    """At most 1, and made of few binary digits."""

    def apply(self, x: Array) -> Array:
        """Compute the shape of ``x``, every element of ``type``."""
        return self.type.quantize(self._scaled(x))

    def _scaled(self, x: Array) -> Array:
        if self.negative_slope != 1.0:
            x = np.maximum(x, x * self.negative_slope)
        return x

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results."""
        low, high = self._scaled(x.low), self._scaled(x.high)
        low, high = _rounded_ends(self.type, low, high)
        return ValueRange(low=low, high=high, fraction=self.type.fraction)

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: rounding adds no numbers up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type that is rounded to."""
        return self.type


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantizeElements(UnaryLayer):
    """Rounding and clipping of each element to a type of its own, as learnt bit widths need it.

    An unsigned type that saturates makes a ReLU of its element; one of no bits is always zero.
    """

    types: tuple[FixedPoint, ...]
    """Of each element, the last index running fastest; all round and overflow alike."""

    @property
    def type(self) -> FixedPoint:
        """The narrowest type that holds the numbers of all."""
        return hull_of(self.types)

    def apply(self, x: Array) -> Array:
        """Compute the shape of ``x``, every element of its type."""
        flat = x.reshape(x.shape[0], len(self.types))
        return quantize_columns(flat, self.types).reshape(x.shape)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results."""
        low, high = x.low.ravel().copy(), x.high.ravel().copy()
        for fixed_type in dict.fromkeys(self.types):
            (places,) = np.nonzero([one == fixed_type for one in self.types])
            low[places], high[places] = _rounded_ends(fixed_type, low[places], high[places])
        return ValueRange(
            low=low.reshape(x.shape), high=high.reshape(x.shape), fraction=self.type.fraction
        )

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: rounding adds no numbers up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type that holds the numbers of all."""
        return self.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Square(UnaryLayer):
    """Every number times itself, without any loss."""

    def apply(self, x: Any) -> Any:
        """Compute ``x * x``, the shape of ``x``."""
        return x * x

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the squares."""
        nearest: Array = np.maximum(np.maximum(x.low, -x.high), 0.0)
        return ValueRange(low=nearest**2, high=x.magnitude**2, fraction=2 * x.fraction)

    def partial_sums(self, x: ValueRange) -> Array:
        """Return the largest square: the partial sums of a multiplication are no larger."""
        result: Array = x.magnitude**2
        return result

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the squares."""
        return results.type


def _rounded_ends(fixed_type: FixedPoint, low: Array, high: Array) -> tuple[Array, Array]:
    """Return the smallest and largest results of rounding what lies between two ends."""
    if fixed_type.overflow != "WRAP":
        return fixed_type.quantize(low), fixed_type.quantize(high)
    wide = replace(fixed_type, signed=True, integer=_WIDE, overflow="SAT")
    low, high = wide.quantize(low), wide.quantize(high)
    stays = (low >= fixed_type.low) & (high <= fixed_type.high)
    # where it does not, the largest number may wrap to a small one
    return np.where(stays, low, fixed_type.low), np.where(stays, high, fixed_type.high)
