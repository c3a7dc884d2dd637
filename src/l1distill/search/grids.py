"""The fixed-point types of many candidates as arrays: one graph then serves every width.

A number of a type is ``n / scale`` with ``n`` a whole number between ``low`` and ``high``; scales
are powers of two, so that dividing by them is exact. These are QKeras's ``quantized_bits`` (with
``alpha=1``) and ``quantized_relu``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.models.mlp import StudentSettings
from l1distill.search.candidate import Candidate

Array = NDArray[np.float32]


class Grid(NamedTuple):
    """A type of each candidate, (candidates, 1, 1) each.

    Attributes:
        scale: codes that a number of 1 has.
        step: from one number to the next, which is one by the scale.
        low: least code.
        high: largest code.
    """

    scale: Array
    step: Array
    low: Array
    high: Array

    @property
    def limit(self) -> Array:
        """Largest magnitude; QKeras clips weights to it behind each step, without saying so."""
        return -self.low * self.step


class Grids(NamedTuple):
    """The types of a population.

    Attributes:
        inputs: of the inputs, each divided by the range that it has of its own.
        kernels: of each layer, the output layer last.
        biases: likewise.
        activations: of each hidden layer.
        outputs: of the sums that come out.
    """

    inputs: Grid
    kernels: tuple[Grid, ...]
    biases: tuple[Grid, ...]
    activations: tuple[Grid, ...]
    outputs: Grid

    def packed(self) -> Array:
        """Return all of them as one array, (candidates, types, 4)."""
        types = (self.inputs, *self.kernels, *self.biases, *self.activations, self.outputs)
        return np.stack([np.concatenate(one, axis=2)[:, 0] for one in types], axis=1)

    @classmethod
    def unpacked(cls, types: Any, layers: int) -> "Grids":
        """Return what :meth:`packed` made an array of, or a tensor.

        Args:
            types: (candidates, types, 4).
            layers: of a network, that of the outputs among them.
        """

        def grid(place: int) -> Grid:
            row = types[:, place, :, None, None]
            return Grid(*(row[:, part] for part in range(len(Grid._fields))))

        def grids(first: int, number: int) -> tuple[Grid, ...]:
            return tuple(grid(place) for place in range(first, first + number))

        return cls(
            inputs=grid(0),
            kernels=grids(1, layers),
            biases=grids(1 + layers, layers),
            activations=grids(1 + 2 * layers, layers - 1),
            outputs=grid(3 * layers),
        )


@dataclass(frozen=True)
class Width:
    """A type with ``bits`` bits, ``integer`` of them before the point, a sign apart."""

    bits: int
    integer: int

    @classmethod
    def of(cls, student: StudentSettings, kind: str, layer: int) -> "Width":
        """Return the type of a layer's ``weight``, ``bias`` or ``activation``."""
        return cls(student.width(f"{kind}_bits", layer), student.width(f"{kind}_integer", layer))

    @property
    def signed(self) -> tuple[float, float, float, float]:
        """Scale, step, least and largest code of a number with a sign, which takes a bit."""
        most = 2.0 ** (self.bits - 1)
        return most / 2.0**self.integer, 2.0**self.integer / most, -most, most - 1

    @property
    def unsigned(self) -> tuple[float, float, float, float]:
        """The same of a number that is never negative."""
        most = 2.0**self.bits
        return most / 2.0**self.integer, 2.0**self.integer / most, 0.0, most - 1


def grids_of(candidates: Sequence[Candidate], ranged_inputs: bool) -> Grids:
    """Return the types of candidates of the same depth.

    Args:
        candidates: at least one.
        ranged_inputs: whether every input has a range of its own, by which it is divided.
    """
    students = [candidate.student for candidate in candidates]
    hidden = len(students[0].layers)

    def types(kind: str, layers: int) -> list[list[Width]]:
        return [[Width.of(one, kind, layer) for one in students] for layer in range(layers)]

    kernels, biases = types("weight", hidden + 1), types("bias", hidden + 1)
    return Grids(
        inputs=_grid(
            [
                Width(one.input_bits, 0 if ranged_inputs else one.input_integer).signed
                for one in students
            ]
        ),
        kernels=tuple(_grid([one.signed for one in layer]) for layer in kernels),
        biases=tuple(_grid([one.signed for one in layer]) for layer in biases),
        activations=tuple(
            _grid([one.unsigned for one in layer]) for layer in types("activation", hidden)
        ),
        outputs=_grid([Width(one.output_bits, one.output_integer).signed for one in students]),
    )


def _grid(rows: Sequence[tuple[float, float, float, float]]) -> Grid:
    return Grid(*(_column(column) for column in zip(*rows, strict=True)))


def _column(values: Sequence[float]) -> Array:
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


def quantize(values: NDArray[np.floating[Any]], grid: Grid) -> Array:
    """Round numbers to the type of one candidate, halves to even, and clip them."""
    scale, step, low, high = (np.float32(part.item()) for part in grid)
    codes = np.clip(np.rint(np.asarray(values, np.float32) * scale), low, high)
    result: Array = codes * step
    return result
