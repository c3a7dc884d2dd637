"""Builds a network layer by layer, with the value range of every tensor at hand."""

from collections.abc import Sequence

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Layer
from l1distill.firmware.network.network import Network, connect, value_ranges
from l1distill.firmware.network.value_range import ValueRange, value_range_of_each


class Builder:
    """The layers of a network that is not complete yet.

    Attributes:
        layers: so far.
        sources: of each layer, the tensors that it takes.
        value_ranges: of each tensor, the inputs first.
        inputs: how many.
        input_type: of each.
        input_exponents: see :class:`~l1distill.firmware.network.network.Network`.
        port_types: likewise.
    """

    def __init__(
        self,
        inputs: int,
        input_type: FixedPoint,
        input_exponents: tuple[int, ...] = (),
        port_types: tuple[FixedPoint, ...] = (),
    ) -> None:
        """Begin with the inputs; see :class:`~l1distill.firmware.network.network.Network`."""
        self.layers: list[Layer] = []
        self.sources: list[tuple[int, ...]] = []
        ports = port_types or (input_type,) * inputs
        self.value_ranges: list[ValueRange] = [value_range_of_each(ports)]
        self.inputs = inputs
        self.input_type = input_type
        self.input_exponents = input_exponents
        self.port_types = port_types

    @classmethod
    def extending(cls, network: Network) -> "Builder":
        """Return a builder that begins with the layers of a network."""
        builder = cls(
            network.inputs, network.input_type, network.input_exponents, network.port_types
        )
        builder.layers = list(network.layers)
        builder.sources = list(network.wiring)
        builder.value_ranges = value_ranges(network)
        return builder

    @property
    def last(self) -> int:
        """The number of the tensor that comes from the last layer."""
        return len(self.layers)

    def add(self, layer: Layer, *taken: int) -> int:
        """Append a layer.

        Args:
            layer: the layer.
            taken: the tensors that it takes; the last one where none is given.

        Returns:
            The number of the tensor of its results.
        """
        sources = taken or (self.last,)
        self.value_ranges.append(
            layer.value_range(*(self.value_ranges[source] for source in sources))
        )
        self.layers.append(layer)
        self.sources.append(sources)
        return self.last

    def network(self) -> Network:
        """Return the network that ends in the last tensor.

        Raises:
            DataError: a layer's sums do not fit into the mantissa of a float64.
        """
        return connect(
            self.inputs,
            self.input_type,
            self.layers,
            self.input_exponents,
            tuple(self.sources),
            self.port_types,
        )


def select(name: str, elements: Sequence[int], of: int) -> Dense:
    """Return the layer that picks some of ``of`` elements, which costs nothing in firmware."""
    return Dense.exact(name, np.eye(of)[:, list(elements)])
