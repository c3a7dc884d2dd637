"""Division of sums by the number of their terms: the means that layers compute."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import smallest_type
from l1distill.firmware.network.layers import Affine, Quantize, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class Division:
    """Sums that are divided by numbers."""

    name: str
    """Of the layer that computes means."""
    counts: NDArray[np.float64]
    """(channels,) or the shape of the sums: what they are divided by."""

    @property
    def is_exact(self) -> bool:
        """Whether all are powers of two, which only move the binary point."""
        return bool(np.all(np.frexp(self.counts)[0] == 0.5))

    def exact_layers(self) -> list[UnaryLayer]:
        """Return the layer that divides by powers of two."""
        return [Affine.exact(self.name, 1 / self.counts)]


@dataclass(frozen=True, kw_only=True)
class RoundedDivision:
    """The layers of a division that is not exact."""

    layers: tuple[UnaryLayer, ...]
    step: float
    """The quotients are multiples of it."""
    error: float
    """By how much they are off at most."""


def rounded_division(
    division: Division, sums: ValueRange, fraction: int | None = None
) -> RoundedDivision:
    """Multiply sums by the share of one, and round the product.

    The rounding is so fine that a quantizer behind it gives what it would give of the quotients
    themselves: quotients that are no half between two of its values stay on their side of it, and
    those that are become exact.

    Args:
        division: see :class:`Division`.
        sums: the value range of the sums.
        fraction: bits behind the point of the quantizer behind; those of the sums if None.
    """
    most = float(division.counts.max())
    # quotients and halves lie on a common grid this much coarser than one step of the sums
    finest = max(sums.fraction, 0 if fraction is None else fraction + 1)
    digits = finest + math.ceil(math.log2(most))
    step, spacing = 2.0**-digits, 2.0**-finest / most
    largest = float(sums.magnitude.max())
    shares = 1 / division.counts
    bits = 0
    while True:
        rounded = np.rint(shares * 2.0**bits) / 2.0**bits
        off = float(np.abs(rounded - shares).max()) * largest
        if rounded.all() and off < 0.9 * (spacing - step / 2) and off < step / 2:
            break
        bits += 1
    scaling = Affine.exact(f"{division.name}_share", rounded)
    products = scaling.value_range(sums)
    low, high = float(products.low.min()), float(products.high.max())
    fixed_type = smallest_type(math.floor(low / step) * step, math.ceil(high / step) * step, digits)
    layers = (scaling, Quantize(division.name, type=fixed_type))
    return RoundedDivision(layers=layers, step=step, error=off + step / 2)
