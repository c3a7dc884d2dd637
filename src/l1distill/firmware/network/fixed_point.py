"""Fixed-point types, named as in ``ap_fixed``, and the numbers that they hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rounding = Literal["TRN", "RND", "RND_CONV"]
"""``TRN`` drops bits (toward minus infinity), ``RND`` rounds to nearest, half up, ``RND_CONV`` to
nearest, half to even."""
Overflow = Literal["WRAP", "SAT", "SAT_SYM"]
"""``SAT`` clips to the range, ``SAT_SYM`` to the symmetric part of it, ``WRAP`` drops bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedPoint:
    """A fixed-point type: values ``n * 2**-fraction`` within ``integer`` bits before the point.

    The names of rounding and overflow are those of ``ap_fixed`` (Vitis HLS user guide UG1399),
    but ``integer`` does not count the sign bit, which ``ap_fixed`` counts.
    """

    signed: bool
    integer: int
    fraction: int
    rounding: Rounding = "RND_CONV"
    overflow: Overflow = "SAT"

    @property
    def bits(self) -> int:
        """The width of the type, sign included."""
        return self.signed + self.integer + self.fraction

    @property
    def step(self) -> float:
        """The distance between two neighboring values."""
        return 2.0**-self.fraction

    @property
    def high(self) -> float:
        """The largest value."""
        return 2.0**self.integer - self.step

    @property
    def low(self) -> float:
        """The smallest value that a saturated result can have."""
        if not self.signed:
            return 0.0
        return -self.high if self.overflow == "SAT_SYM" else -(2.0**self.integer)

    @property
    def hls(self) -> str:
        """The type as hls4ml writes it, such as ``fixed<8,4,RND_CONV,SAT>``."""
        return f"{self._name}<{self._widths},{self.rounding},{self.overflow}>"

    @property
    def cpp(self) -> str:
        """The type in C++, such as ``ap_fixed<8,4,AP_RND_CONV,AP_SAT>``."""
        return f"ap_{self._name}<{self._widths},AP_{self.rounding},AP_{self.overflow}>"

    @property
    def _name(self) -> str:
        return "fixed" if self.signed else "ufixed"

    @property
    def _widths(self) -> str:
        return f"{self.bits},{self.integer + self.signed}"

    @property
    def bare(self) -> "FixedPoint":
        """The same grid and range for numbers that are exact already: no rounding, no clipping."""
        return replace(self, rounding="TRN", overflow="WRAP")

    def quantize(self, values: ArrayLike) -> NDArray[np.float64]:
        """Round and clip numbers to this type, exactly as ``ap_fixed`` does.

        Args:
            values: numbers of any shape, not NaN.

        Returns:
            Array of the same shape, every element on the type's grid and in its range.
        """
        codes = np.asarray(values, dtype=np.float64) * 2.0**self.fraction
        if self.rounding == "RND_CONV":
            codes = np.rint(codes)
        else:
            codes = np.floor(codes + 0.5 if self.rounding == "RND" else codes)
        if self.overflow == "WRAP":
            offset = 2.0 ** (self.bits - 1) if self.signed else 0.0
            codes = (codes + offset) % 2.0**self.bits - offset
        else:
            codes = np.clip(codes, self.low / self.step, self.high / self.step)
        result: NDArray[np.float64] = codes * self.step + 0.0  # + 0.0: firmware has no minus zero
        return result

    def holds(self, values: ArrayLike) -> bool:
        """Tell whether quantizing would change none of ``values``."""
        array = np.asarray(values, dtype=np.float64)
        return bool(np.array_equal(self.quantize(np.nan_to_num(array)), array))

    def codes(self, values: ArrayLike) -> NDArray[np.int64]:
        """Return the integers ``n`` of ``values``, which must be of this type already."""
        scaled = np.asarray(values, dtype=np.float64) * 2.0**self.fraction
        codes: NDArray[np.int64] = np.rint(scaled).astype(np.int64)
        return codes


ONE = FixedPoint(signed=False, integer=1, fraction=0)
"""The narrowest type of constants that are 0 or 1."""
BIT = FixedPoint(signed=False, integer=1, fraction=0, rounding="TRN", overflow="SAT")
"""The type of a comparison: 0 for what is below 1, else 1."""


_NOTATION = re.compile(r"(?:ap_)?(u?)fixed<(\d+),(-?\d+)(?:,(?:AP_)?(\w+))?(?:,(?:AP_)?(\w+))?>")


def parse_type(text: str) -> FixedPoint:
    """Read a type in the notation of hls4ml and Vivado.

    Args:
        text: such as ``fixed<16,6>`` or ``ap_ufixed<8,1,AP_TRN,AP_WRAP>``: all bits, and those
            before the point, the sign included. Where rounding or overflow are not named, numbers
            are rounded to nearest, halves to even, and clipped.

    Raises:
        ValueError: it is no such type, or rounds or overflows in a way that is not supported.
    """
    match = _NOTATION.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError(f"{text}: is no fixed-point type; write it as fixed<16,6,RND_CONV,SAT>")
    unsigned, bits, whole, rounding, overflow = match.groups()
    for word, known in ((rounding, get_args(Rounding)), (overflow, get_args(Overflow))):
        if word is not None and word not in known:
            raise ValueError(f"{text}: {word} is not supported; use {' or '.join(known)}")
    signed = not unsigned
    if not 1 + signed <= int(bits) <= 32:
        raise ValueError(f"{text}: has {bits} bits; use {1 + signed} to 32")
    return FixedPoint(
        signed=signed,
        integer=int(whole) - signed,
        fraction=int(bits) - int(whole),
        rounding=cast(Rounding, rounding or "RND_CONV"),
        overflow=cast(Overflow, overflow or "SAT"),
    )


def quantize_columns(values: NDArray[np.float64], types: Sequence[FixedPoint]) -> NDArray[Any]:
    """Round and clip each column to a type of its own.

    Args:
        values: (n, len(types)) numbers, not NaN.
        types: of each column.

    Returns:
        Array of the same shape.
    """
    different = list(dict.fromkeys(types))
    if len(different) == 1:
        return different[0].quantize(values)
    result = np.empty(values.shape)
    for fixed_type in different:
        columns = [number for number, one in enumerate(types) if one == fixed_type]
        result[:, columns] = fixed_type.quantize(values[:, columns])
    return result


def hull_of(types: Sequence[FixedPoint]) -> FixedPoint:
    """Return the narrowest type that holds all numbers of several, and rounds as the first does.

    Types without any bit, which hold zero alone, do not count; of these alone it is one bit.
    """
    kept = [fixed_type for fixed_type in types if fixed_type.bits] or [replace(types[0], integer=1)]
    return replace(
        kept[0],
        signed=any(fixed_type.signed for fixed_type in kept),
        integer=max(fixed_type.integer for fixed_type in kept),
        fraction=max(fixed_type.fraction for fixed_type in kept),
    )


def smallest_type(low: float, high: float, fraction: int) -> FixedPoint:
    """Return the narrowest type with ``fraction`` bits that holds ``low`` and ``high``."""
    signed = low < 0
    integer = -fraction  # zero bits wide: holds nothing but zero
    while (signed and -(2.0**integer) > low) or 2.0**integer - 2.0**-fraction < high:
        integer += 1
    return FixedPoint(signed=signed, integer=integer, fraction=fraction)


def grid_of(values: ArrayLike) -> FixedPoint:
    """Return the narrowest type of at least one bit that holds finite numbers without loss."""
    array = np.asarray(values, dtype=np.float64)
    fraction = 0
    while not np.array_equal(np.rint(array * 2.0**fraction), array * 2.0**fraction):
        fraction += 1
    fixed_type = smallest_type(float(array.min()), float(array.max()), fraction)
    return fixed_type if fixed_type.bits else replace(fixed_type, integer=1)
