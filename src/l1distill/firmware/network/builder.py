"""Puts a network together layer by layer, with what each tensor can hold at hand."""

from collections.abc import Sequence

import numpy as np

from l1distill.firmware.network.fixed_point import ONE, FixedPoint
from l1distill.firmware.network.layers import Dense, Layer, ValueRange, value_range_of
from l1distill.firmware.network.network import Network, connect, value_ranges


class Builder:
    """Layers of a network to be.

    Attributes:
        layers: so far.
        sources: of each layer, the tensors that it takes.
        value_ranges: what each tensor can hold, the inputs first.
    """

    def __init__(
        self, inputs: int, input_type: FixedPoint, input_exponents: tuple[int, ...] = ()
    ) -> None:
        """Begins with the inputs; see :class:`~l1distill.firmware.network.network.Network`."""
        self.layers: list[Layer] = []
        self.sources: list[tuple[int, ...]] = []
        self.value_ranges: list[ValueRange] = [value_range_of(input_type, inputs)]
        self._inputs = (inputs, input_type)
        self._input_exponents = input_exponents

    @classmethod
    def behind(cls, network: Network) -> "Builder":
        """Returns one that goes on where a network ends."""
        builder = cls(network.inputs, network.input_type, network.input_exponents)
        builder.layers = list(network.layers)
        builder.sources = list(network.wiring)
        builder.value_ranges = value_ranges(network)
        return builder

    @property
    def at(self) -> int:
        """The tensor behind the last layer."""
        return len(self.layers)

    def add(self, layer: Layer, *taken: int) -> int:
        """Appends a layer.

        Args:
            layer: the layer.
            taken: the tensors that it takes; the last one where none is given.

        Returns:
            The tensor that it gives.
        """
        sources = taken or (self.at,)
        self.value_ranges.append(
            layer.value_range(*(self.value_ranges[source] for source in sources))
        )
        self.layers.append(layer)
        self.sources.append(sources)
        return self.at

    def network(self) -> Network:
        """Returns the network that ends in the last tensor.

        Raises:
            DataError: a layer's sums do not fit into the mantissa of a float64.
        """
        return connect(*self._inputs, self.layers, self._input_exponents, tuple(self.sources))


def select(name: str, which: Sequence[int], of: int) -> Dense:
    """Returns the layer that takes some elements, which costs nothing in firmware."""
    kernel = np.eye(of)[:, list(which)]
    return Dense(name, kernel, np.zeros(len(which)), ONE, ONE)
