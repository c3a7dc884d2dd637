"""Layers that treat every element of one tensor by itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers.base import UnaryLayer
from l1distill.firmware.network.value_range import Array, ValueRange


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
        if self.negative_slope != 1.0:
            x = np.maximum(x, x * self.negative_slope)
        return self.type.quantize(x)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results."""
        if self.type.overflow == "WRAP":  # the largest number may wrap to a small one
            low, high = np.full(x.shape, self.type.low), np.full(x.shape, self.type.high)
        else:
            low, high = self.apply(x.low), self.apply(x.high)
        return ValueRange(low=low, high=high, fraction=self.type.fraction)

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: rounding adds no numbers up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type that is rounded to."""
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
