"""Probabilities of a softmax, from tables of the exponential and of the reciprocal."""

import math
from dataclasses import dataclass

import numpy as np

from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Dense,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    Reshape,
    Subtract,
)
from l1distill.firmware.network.value_range import Array

ADDRESS_BITS = 12
"""Most bits of an address: a table has at most 4096 entries."""
_GUARD_BITS = 2
"""Digits of exponentials and reciprocals beyond those of the probabilities."""


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """The two tables of a softmax, and how far off its probabilities are at most."""

    exponential: Lookup
    reciprocal: Lookup
    error: float


def append_softmax(builder: Builder, tensor: int, name: str, bits: int) -> tuple[int, float]:
    """Append the layers of a softmax.

    The largest number is subtracted first, so that exponentials are at most 1 and their sum is at
    least 1, as in hls4ml's stable softmax (arXiv:1804.06913).

    Args:
        builder: appended to.
        tensor: of (n,) numbers, the logits.
        name: of the last layer, and the beginning of the others' names.
        bits: of a probability, all behind the point: a 1 becomes the largest number below.

    Returns:
        The tensor of (n,) probabilities, and the most by which one is off.
    """
    count = builder.value_ranges[tensor].size
    tables = _make_tables(name, count, bits)
    copies = np.ones((1, count))
    builder.add(Reshape(f"{name}_image", shape=(count, 1, 1)), tensor)
    builder.add(MaxPool2D(f"{name}_largest", size=(count, 1)))
    builder.add(Reshape(f"{name}_vector", shape=(1,)))
    largest = builder.add(Dense.exact(f"{name}_largest_of_each", copies))
    builder.add(Subtract(f"{name}_distances"), largest, tensor)
    builder.add(Quantize(f"{name}_below_largest", type=tables.exponential.address_type))
    exponentials = builder.add(tables.exponential)
    builder.add(Dense.exact(f"{name}_sum", np.ones((count, 1))))
    builder.add(Quantize(f"{name}_rounded_sum", type=tables.reciprocal.address_type))
    builder.add(tables.reciprocal)
    reciprocals = builder.add(Dense.exact(f"{name}_reciprocal_of_each", copies))
    builder.add(Multiply(f"{name}_products"), exponentials, reciprocals)
    result_type = FixedPoint(signed=False, integer=0, fraction=bits)
    return builder.add(Quantize(name, type=result_type)), tables.error


def _make_tables(name: str, count: int, bits: int) -> _Tables:
    entry_type = FixedPoint(signed=False, integer=1, fraction=bits + _GUARD_BITS)
    # beyond this distance an exponential is less than half of the last digit of a probability
    integer = math.ceil(math.log2(math.log(2) * (bits + 1)))
    distance_type = _address_type(integer, bits - 1)
    distances = _addresses(distance_type)
    exponential = Lookup(
        f"{name}_exponential",
        address_type=distance_type,
        table=entry_type.quantize(np.exp(-distances)),
        table_type=entry_type,
    )
    sum_type = _address_type(math.floor(math.log2(count)) + 1, bits)
    sums = np.maximum(_addresses(sum_type), 1.0)  # the largest number alone adds 1
    reciprocal = Lookup(
        f"{name}_reciprocal",
        address_type=sum_type,
        table=entry_type.quantize(1 / sums),
        table_type=entry_type,
    )
    relative = math.expm1(distance_type.step / 2)
    absolute = entry_type.step / 2 + math.exp(-distance_type.high)
    edges = np.maximum([sums - sum_type.step / 2, sums + sum_type.step / 2], 1.0)
    of_reciprocal = float(np.abs(reciprocal.table - 1 / edges).max())
    of_result = 2.0**-bits  # where a 1 is clipped; half of that by rounding
    error = 2 * relative + count * absolute + of_reciprocal + of_result
    return _Tables(exponential=exponential, reciprocal=reciprocal, error=error)


def _address_type(integer: int, fraction: int) -> FixedPoint:
    return FixedPoint(signed=False, integer=integer, fraction=min(fraction, ADDRESS_BITS - integer))


def _addresses(address_type: FixedPoint) -> Array:
    """Return the number of each code of a type."""
    codes: Array = np.arange(2**address_type.bits) * address_type.step
    return codes
