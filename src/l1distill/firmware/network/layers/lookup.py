"""A table that is looked up with each number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers.base import UnaryLayer
from l1distill.firmware.network.value_range import Array, ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(UnaryLayer):
    """An entry of a table for each number, whose code is the entry's place."""

    address_type: FixedPoint
    """The unsigned type of the numbers that come in."""
    table: Array
    """(2**bits,) entry of each code of ``address_type``, every one of ``table_type``."""
    table_type: FixedPoint

    def apply(self, x: Any) -> Any:
        """Look up the shape of ``x``, every element of ``address_type``."""
        return self.table[self.address_type.codes(x)]

    def reached(self, low: float, high: float) -> Array:
        """Return the entries between two addresses, which are numbers of ``address_type``."""
        first, last = self.address_type.codes([low, high]).tolist()
        return self.table[first : last + 1]

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the entries that can be reached."""
        ends = [
            (entries.min(), entries.max())
            for low, high in zip(x.low.ravel(), x.high.ravel(), strict=True)
            for entries in [self.reached(float(low), float(high))]
        ]
        low, high = np.array(ends).T.reshape(2, *x.shape)
        return ValueRange(low=low, high=high, fraction=self.table_type.fraction)

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: a table adds no numbers up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type of the entries."""
        return self.table_type
