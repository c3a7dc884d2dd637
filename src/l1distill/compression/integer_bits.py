"""Chooses the range of fixed-point numbers: the integer bits of the least mean square error."""

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint

TOLERANCE = 1e-5
"""Error that a wider range may cost, in units of the mean square of what is quantized."""
HEADROOM = 2
"""Most bits by which a range may exceed the largest value of the calibration events."""
_FEWER = 12
"""Most bits by which a range may fall short of the largest value."""


def best_integer_bits(
    values: NDArray[np.float64],
    bits: int,
    *,
    tolerance: float = 0.0,
    headroom: int = 0,
    signed: bool = True,
    slope: float = 1.0,
) -> NDArray[np.int64]:
    """Return the integer bits of the least mean square error of each column.

    Args:
        values: (n, columns) numbers.
        bits: of the type.
        tolerance: error a wider range may cost, in units of the column's mean square.
        headroom: bits by which a range may exceed the largest value.
        signed: whether the type is.
        slope: by which negative numbers are multiplied first.

    Returns:
        (columns,) the widest range whose mean square error is within the tolerance of the least.
    """
    exact = np.where(values < 0, values * slope, values)
    largest = np.abs(exact).max(axis=0)
    top = np.frexp(largest)[1]  # zeros have the exponent 0
    exact = exact / np.ldexp(1.0, top)
    offsets = np.arange(headroom, -_FEWER - 1, -1)  # the widest first
    errors = []
    for offset in offsets.tolist():
        fixed_type = FixedPoint(signed=signed, integer=offset, fraction=bits - signed - offset)
        errors.append(np.mean((fixed_type.quantize(exact) - exact) ** 2, axis=0))
    allowed = np.min(errors, axis=0) + tolerance * np.mean(exact**2, axis=0)
    best = offsets[np.argmax(np.array(errors) <= allowed, axis=0)]
    result: NDArray[np.int64] = (top + best).astype(np.int64)
    return result


def result_type(
    values: NDArray[np.float64], bits: int, signed: bool, slope: float = 1.0
) -> FixedPoint:
    """Return the type of ``bits`` bits for results, in a range that calibration events have.

    Args:
        values: the results of these events, of any shape.
        bits: of the type.
        signed: whether the type is.
        slope: by which negative numbers are multiplied first.
    """
    (integer,) = best_integer_bits(
        values.reshape(-1, 1),
        bits,
        tolerance=TOLERANCE,
        headroom=HEADROOM,
        signed=signed,
        slope=slope,
    ).tolist()
    return FixedPoint(signed=signed, integer=integer, fraction=bits - signed - integer)


def constant_type(constants: NDArray[np.float64], bits: int) -> FixedPoint:
    """Return the type of ``bits`` bits that is best for constants, in the mean square."""
    (integer,) = best_integer_bits(constants.reshape(-1, 1), bits).tolist()
    return FixedPoint(signed=True, integer=integer, fraction=bits - 1 - integer)
