"""Decision trees: for each of several trees the leaf that comparisons lead to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers.base import UnaryLayer
from l1distill.firmware.network.value_range import Array, ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionTrees(UnaryLayer):
    """The leaf value of each of several complete binary trees, from the bits of comparisons.

    Node ``k`` of a tree leads to node ``2 k + 1`` where its bit is 0 and to ``2 k + 2`` where it
    is 1; behind the last nodes are the leaves, from left to right.
    """

    nodes: tuple[tuple[int, ...], ...]
    """Of each tree, for each of its ``2**depth - 1`` nodes the number of the bit among the
    inputs."""
    leaves: Array
    """(trees, 2**depth) values, every one of ``leaves_type``."""
    leaves_type: FixedPoint

    @property
    def depth(self) -> int:
        """How many comparisons lead to a leaf."""
        return self.leaves.shape[1].bit_length() - 1

    @property
    def columns(self) -> NDArray[np.int64]:
        """The field ``nodes`` as an array (trees, 2**depth - 1)."""
        return np.asarray(self.nodes, dtype=np.int64)

    def apply(self, x: Any) -> Any:
        """Compute (n, trees) leaf values of (n, inputs) bits, each 0 or 1."""
        bits = np.asarray(x)[:, self.columns].astype(np.int64)
        node = np.zeros((len(bits), len(self.nodes)), dtype=np.int64)
        for _ in range(self.depth):
            node = 2 * node + 1 + np.take_along_axis(bits, node[..., None], axis=-1)[..., 0]
        leaf = node - self.columns.shape[1]
        return self.leaves[np.arange(len(self.nodes)), leaf]

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the leaves that the bits can lead to."""
        low = high = self.leaves
        for level in reversed(range(self.depth)):  # from the last nodes to the first
            first = 2**level - 1
            nodes = self.columns[:, first : first + 2**level]
            left, right = x.high[nodes] < 1, x.low[nodes] >= 1  # what a bit that is fixed leads to
            low = _chosen(np.minimum, low, left, right)
            high = _chosen(np.maximum, high, left, right)
        return ValueRange(low=low[:, 0], high=high[:, 0], fraction=self.leaves_type.fraction)

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: a tree adds no numbers up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type of the leaves."""
        return self.leaves_type


def _chosen(either: Any, ends: Array, left: NDArray[np.bool_], right: NDArray[np.bool_]) -> Array:
    """Return what is left of the ends of pairs of branches: one of them, or either."""
    ones, others = ends[:, 0::2], ends[:, 1::2]
    result: Array = np.where(left, ones, np.where(right, others, either(ones, others)))
    return result
