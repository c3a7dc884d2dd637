"""Decision trees as alkaid's variables: choices between bits, and a small table for each tree."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Lookup
from l1distill.firmware.network.layers.trees import DecisionTrees
from l1distill.firmware.rtl import alkaid_workarounds as workarounds


def leaves_of(layer: DecisionTrees, values: Any) -> Any:
    """Return the leaf values of trees, as variables.

    The comparisons on the way to a leaf are the bits of its number, the first one the highest.
    Each is chosen among those of its level by the bits before it, a LUT for two choices; the
    number then is the address of a table. Choices between leaf values would be as wide as these.

    Args:
        layer: the trees.
        values: an ``FVArray`` of (1, inputs) bits.

    Returns:
        An ``FVArray`` of (1, trees) leaf values.
    """
    from alkaid.trace import FVArray

    def array(variables: Sequence[Any]) -> Any:
        return FVArray(np.array(variables), values.solver_options, hwconf=values.hwconf)

    (bits,) = np.asarray(values)
    address_type = FixedPoint(signed=False, integer=layer.depth, fraction=0)
    places = 2.0 ** np.arange(layer.depth)[::-1]
    results = []
    for nodes, leaves in zip(layer.columns, layer.leaves, strict=True):
        address = (array(_path(bits[nodes])) * places).sum()
        table = Lookup(
            layer.name, address_type=address_type, table=leaves, table_type=layer.leaves_type
        )
        results.append(np.asarray(workarounds.look_up(table, array([address])))[0])
    return array([results])


def _path(bits: Sequence[Any]) -> list[Any]:
    """Return the comparison of each level that counts, given those of all nodes of a tree."""
    path: list[Any] = []
    for depth in range(len(bits).bit_length()):
        first = 2**depth - 1
        level = list(bits[first : 2 * first + 1])
        for bit in path:  # the first bit tells one half of a level from the other
            half = len(level) // 2
            pairs = zip(level[half:], level[:half], strict=True)
            level = [_choice(bit, right, left) for right, left in pairs]
        path += level
    return path


def _choice(bit: Any, one: Any, other: Any) -> Any:
    """Return one of two variables where a bit is set, else the other."""
    if bit.low == bit.high:
        return one if bit.low else other
    return one if one is other else bit.msb_mux(one, other)
