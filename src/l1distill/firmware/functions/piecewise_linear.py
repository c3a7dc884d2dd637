"""Piecewise linear functions as sums of hinges, which take adders and comparisons alone."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize

Array = NDArray[np.float64]
MOST_DIGITS = 20
"""Of the slopes of a function, behind the point."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PiecewiseLinear:
    """The function ``start + sum(slopes * max(0, v - knots))``."""

    knots: Array
    """(pieces,) where the slope changes, in rising order."""
    slopes: Array
    """(pieces,) by how much it changes."""
    start: float

    def __call__(self, v: Array) -> Array:
        """Evaluate the function at (points,) numbers."""
        hinges = np.maximum(v[:, None] - self.knots, 0.0)
        result: Array = self.start + hinges @ self.slopes
        return result


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """A piecewise linear function and how near it is to the function that it was fitted to."""

    function: PiecewiseLinear
    highest: float
    """Its largest value at the points of the fit."""
    error: float
    """The largest difference there, over the weight of the point."""


def fit_piecewise_linear(
    v: Array,
    values: Array,
    pieces: int,
    weight: Array | None = None,
    tolerance: float = 2.0**-8,
) -> Fit:
    """Fit a piecewise linear function whose constants have few bits.

    Knots are added where the error is largest; then slopes are rounded as far as that makes the
    error at most a quarter larger.

    Args:
        v: (points,) in rising order.
        values: (points,) of the function at these points.
        pieces: at most so many.
        weight: (points,) what the error at a point is divided by; 1 plus the value if None, which
            must not be negative then.
        tolerance: an error that need not be made smaller.
    """
    weight = 1 + values if weight is None else weight
    ends = [0, len(v) - 1] if len(v) > 1 else [0]
    errors = _interpolation_errors(v, values, ends, weight)
    while len(ends) <= pieces and errors.max():
        ends = sorted({*ends, int(errors.argmax())})
        errors = _interpolation_errors(v, values, ends, weight)
    allowed = max(1.25 * float(errors.max()), tolerance)
    for fraction in range(MOST_DIGITS + 1):
        fit = _fit_rounded(v, values, ends, fraction, weight)
        if fit.error <= allowed:
            break
    return fit


def _interpolation_errors(v: Array, values: Array, ends: list[int], weight: Array) -> Array:
    errors: Array = np.abs(np.interp(v, v[ends], values[ends]) - values) / weight
    return errors


def _fit_rounded(v: Array, values: Array, ends: list[int], fraction: int, weight: Array) -> Fit:
    """Round slopes one after the other, each making up for those before it."""
    unit = 2.0**fraction
    start = value = float(np.rint(values[0] * unit) / unit)
    slopes = []
    for left, right in pairwise(ends):
        width = v[right] - v[left]
        slopes.append(float(np.rint((values[right] - value) / width * unit) / unit))
        value += slopes[-1] * float(width)
    changes = np.diff(np.array(slopes), prepend=0.0)
    function = PiecewiseLinear(knots=v[ends[:-1]], slopes=changes, start=start)
    fitted = function(v)
    error = float((np.abs(fitted - values) / weight).max())
    return Fit(function=function, highest=float(fitted.max()), error=error)


def add_hinges(builder: Builder, name: str, function: PiecewiseLinear, tensor: int) -> int:
    """Append the hinges of a function of each element; their weighted sum is the function.

    Args:
        builder: appended to.
        name: what the layers' names begin with.
        function: the function.
        tensor: of (n,) elements.

    Returns:
        The tensor of (n * pieces,) hinges, those of an element side by side.
    """
    elements, pieces = builder.value_ranges[tensor].size, len(function.knots)
    copies = np.kron(np.eye(elements), np.ones((1, pieces)))
    builder.add(Dense.exact(f"{name}_hinges", copies, -np.tile(function.knots, elements)), tensor)
    distances = builder.value_ranges[-1]
    positive = FixedPoint(
        signed=False,
        integer=distances.type.integer,
        fraction=distances.fraction,
        rounding="TRN",
        overflow="SAT",
    )
    return builder.add(Quantize(f"{name}_positive", type=positive))
