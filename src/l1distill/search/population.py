"""Candidates that are trained together: filled up to the widest of them, on the same batches."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.search.candidate import Candidate
from l1distill.search.graph import Items
from l1distill.search.grids import Grid, Grids, grids_of, quantize

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """Candidates of one depth.

    Attributes:
        candidates: all either rounded or not.
        features: numbers that each reads.
        outputs: numbers that each answers.
        exponents: of each feature the power of two that its input holds; empty: inputs have the
            range of each candidate.
        hidden: nodes of the hidden layers, where they are more than those of the widest candidate.
    """

    candidates: Sequence[Candidate]
    features: int
    outputs: int
    exponents: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()

    @property
    def rounds(self) -> bool:
        """Whether its candidates are rounded."""
        return self.candidates[0].rounds

    @property
    def is_pruned(self) -> bool:
        """Whether weights of any are pruned."""
        return any(one.sparsity for one in self.candidates)

    @cached_property
    def sizes(self) -> list[tuple[int, ...]]:
        """Nodes of each layer of each candidate, from the inputs to the outputs."""
        return [(self.features, *one.widths, self.outputs) for one in self.candidates]

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Nodes of each layer of the population, from the inputs to the outputs."""
        widest = (self.features, *self.hidden, self.outputs)
        sizes = [*self.sizes, widest] if self.hidden else self.sizes
        return tuple(max(column) for column in zip(*sizes, strict=True))

    @cached_property
    def weights(self) -> list[list[int]]:
        """Weights of each layer of each candidate, biases apart."""
        return [[a * b for a, b in itertools.pairwise(own)] for own in self.sizes]

    @cached_property
    def grids(self) -> Grids:
        """Types of all numbers."""
        return grids_of(self.candidates, bool(self.exponents))

    def shared_inputs(self, rounds: bool) -> Grid | None:
        """Return the type that all candidates have of their inputs, or None."""
        grid = self.grids.inputs
        differ = [np.unique(grid.low * grid.step), *(np.unique(part) for part in grid if rounds)]
        return None if any(len(one) > 1 for one in differ) else Grid(*(part[:1] for part in grid))

    def prepared(self, features: Array, targets: Array, rounds: bool) -> Items:
        """Return items as the graph takes them, their inputs on the grid that all share.

        Args:
            features: (n, features).
            targets: (n, outputs).
            rounds: whether anything is rounded.
        """
        import tensorflow as tf

        units = np.exp2(np.asarray(self.exponents or [0] * self.features)).astype(np.float32)
        numbers, shared = features / units, self.shared_inputs(rounds)
        if shared is not None and rounds:
            numbers = quantize(numbers, shared) * units
        elif shared is not None:
            limit = -(shared.low * shared.step).item()
            numbers = np.clip(numbers, -limit, limit) * units
        return Items(
            tf.constant(numbers, tf.float32), tf.constant(targets, tf.float32), tf.constant(units)
        )


@dataclass(frozen=True, eq=False)
class Batches:
    """Rows of items in batches of one size: the last is filled up with an item that counts nothing.

    Attributes:
        rows: (batches, batch) numbers of items.
        shares: (batches, batch) what the loss of each is multiplied by.
    """

    rows: NDArray[np.int32]
    shares: Array

    @classmethod
    def of(cls, order: NDArray[np.integer[Any]], size: int, *, mean: bool) -> "Batches":
        """Cut an order of items into batches; shares give the mean of each batch, or its sum."""
        number = math.ceil(len(order) / size)
        rows = np.zeros(number * size, np.int32)
        rows[: len(order)] = order
        shares = np.zeros((number, size), np.float32)
        shares.flat[: len(order)] = 1.0
        if mean:
            shares /= shares.sum(axis=1, keepdims=True)
        return cls(rows.reshape(number, size), shares)
