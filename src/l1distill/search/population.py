"""Candidates that are trained together: filled up to the widest of them, on the same batches."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from l1distill.search.candidate import Candidate
from l1distill.search.grids import grids_of
from l1distill.search.layout import Layout

Array = NDArray[np.float32]

LEAST = 4
"""Fewest nodes of a layer, filled up: XLA multiplies by fewer columns one number at a time."""


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

    @cached_property
    def sizes(self) -> list[tuple[int, ...]]:
        """Nodes of each layer of each candidate, from the inputs to the outputs."""
        return [(self.features, *one.widths, self.outputs) for one in self.candidates]

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Nodes of each layer of the population, from the inputs to the outputs."""
        nodes = zip(*(one[1:] for one in self.sizes), strict=True)
        least = [*(self.hidden or [0] * len(self.sizes[0][1:-1])), 0]
        widest = (max(LEAST, *column, few) for column, few in zip(nodes, least, strict=True))
        return (self.features, *widest)

    @cached_property
    def weights(self) -> list[list[int]]:
        """Weights of each layer of each candidate, biases apart."""
        return [[a * b for a, b in itertools.pairwise(own)] for own in self.sizes]

    @property
    def layout(self) -> Layout:
        """Where the weights lie."""
        return Layout(self.widths)

    @cached_property
    def types(self) -> Array:
        """Types of all numbers, (candidates, types, 4)."""
        return grids_of(self.candidates, bool(self.exponents)).packed()
