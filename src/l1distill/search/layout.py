"""Where the weights of a population lie: those of all layers behind one another, in one array.

A graph with one array for everything is compiled in a fraction of the time of one with an array for
each kernel and bias. The weights of a candidate that is narrower are filled up with zeros.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.search.weights import Layers

Array = NDArray[np.float32]


class Span(NamedTuple):
    """Where a layer lies.

    Attributes:
        shape: inputs and outputs of the kernel.
        kernel: its numbers, row by row.
        bias: those of the bias, behind it.
    """

    shape: tuple[Any, Any]
    kernel: slice
    bias: slice


def spans(widths: Sequence[Any]) -> Iterator[Span]:
    """Yield where each layer lies.

    Args:
        widths: nodes of each layer, from the inputs to the outputs; whole numbers or tensors.
    """
    first = 0
    for inputs, outputs in itertools.pairwise(widths):
        behind = first + inputs * outputs
        yield Span((inputs, outputs), slice(first, behind), slice(behind, behind + outputs))
        first = behind + outputs


@dataclass(frozen=True)
class Layout:
    """The weights of a population as arrays of NumPy.

    Attributes:
        widths: nodes of each layer of the population, from the inputs to the outputs.
    """

    widths: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """Numbers of a candidate."""
        *_, last = spans(self.widths)
        return int(last.bias.stop)

    def layers(self, flat: Array) -> Iterator[tuple[Array, Array]]:
        """Yield kernel (candidates, inputs, outputs) and bias (candidates, outputs) of each layer.

        Args:
            flat: (candidates, numbers); what is yielded are views of it.
        """
        for shape, kernel, bias in spans(self.widths):
            yield flat[:, kernel].reshape(-1, *shape), flat[:, bias]

    def kernels(self, flat: Array) -> list[Array]:
        """Return the kernels alone."""
        return [kernel for kernel, _ in self.layers(flat)]

    def packed(self, candidates: Sequence[Layers]) -> Array:
        """Return the weights of candidates, (candidates, numbers)."""
        flat = np.zeros((len(candidates), self.numbers), np.float32)
        for layer, (kernels, biases) in enumerate(self.layers(flat)):
            for number, layers in enumerate(candidates):
                kernel, bias = layers[layer]
                inputs, outputs = kernel.shape
                kernels[number, :inputs, :outputs] = kernel
                biases[number, :outputs] = bias
        return flat

    def unpacked(
        self, flat: Any, sizes: Sequence[Sequence[int]]
    ) -> list[list[tuple[Array, Array]]]:
        """Return the weights of each candidate.

        Args:
            flat: (candidates, numbers).
            sizes: nodes of each layer of each candidate, from the inputs to the outputs.
        """
        layers = [*self.layers(np.asarray(flat))]
        return [
            [
                (kernels[number, :inputs, :outputs].copy(), biases[number, :outputs].copy())
                for (kernels, biases), (inputs, outputs) in zip(
                    layers, itertools.pairwise(own), strict=True
                )
            ]
            for number, own in enumerate(sizes)
        ]
