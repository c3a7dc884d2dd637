"""A quantized network as plain numbers, and its exact evaluation: what every back end starts from.

The value ranges of its tensors bound every sum: :func:`widest_sum` tells whether QKeras' float32
and :func:`evaluate`'s float64 are exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import (
    FixedPoint,
    quantize_columns,
    smallest_type,
)
from l1distill.firmware.network.layers import Layer, Reshape
from l1distill.firmware.network.value_range import ValueRange, value_range_of_each

EXACT_FLOAT32_BITS = 24
"""Sums that need more bits than a float32 mantissa are not exact in QKeras itself."""
EXACT_FLOAT64_BITS = 53
"""Nor are they in :func:`evaluate` above this."""
_BLOCK = 512
"""Events that :func:`evaluate_first` takes at a time, for the caches' sake."""

Wiring = tuple[tuple[int, ...], ...]
"""Of each layer, the tensors that it takes: 0 are the inputs, ``k`` comes from layer ``k - 1``."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Layers between two fixed-point types: a chain, or branches that meet again.

    Events go in and come out flat; a layer that needs an image has a ``Reshape`` before it. The
    results of the last layer are the outputs.
    """

    inputs: int
    input_type: FixedPoint
    layers: tuple[Layer, ...]
    output_type: FixedPoint
    input_exponents: tuple[int, ...] = ()
    """Input ``i`` is divided by ``2**input_exponents[i]`` before it meets ``input_type``.

    That moves the binary point and costs nothing in firmware: with one width for all, each
    input has a range of its own. Empty where all are 0.
    """
    sources: Wiring = ()
    """Empty for a chain, in which every layer takes what is before it."""
    port_types: tuple[FixedPoint, ...] = ()
    """The type of each input port where they differ: ``input_type`` then holds the numbers of all,
    and has the finest grid of them. Empty where all are ``input_type``."""

    @property
    def wiring(self) -> Wiring:
        """Of each layer, the tensors that it takes, also for a chain."""
        return self.sources or tuple((number,) for number in range(len(self.layers)))

    @property
    def outputs(self) -> int:
        """How many numbers come out for an event."""
        return value_ranges(self)[-1].shape[0]

    @property
    def ports(self) -> tuple[FixedPoint, ...]:
        """The type of each input port."""
        return self.port_types or (self.input_type,) * self.inputs

    @property
    def input_units(self) -> NDArray[np.float64]:
        """What a 1 at each input port stands for: (inputs,) powers of two."""
        exponents = self.input_exponents or (0,) * self.inputs
        return np.ldexp(1.0, np.asarray(exponents))

    def to_port_values(self, x: ArrayLike) -> NDArray[np.float64]:
        """Scale and quantize inputs to the values that the firmware's input ports hold.

        Args:
            x: (n, inputs) inputs, not NaN.

        Returns:
            (n, inputs) numbers of the ports; times :attr:`input_units` they are inputs again.
        """
        return quantize_columns(np.asarray(x, dtype=np.float64) / self.input_units, self.ports)


def narrow_ports(
    network: Network, signed: Sequence[bool], steps: Sequence[float | None] = ()
) -> Network:
    """Take bits from input ports that are always zero: signs, and those below a smallest step.

    Args:
        network: whose inputs all have the input type.
        signed: of each input, whether it can be negative.
        steps: of each input, of what power of two it is always a multiple, in its own scale, before
            the shift of its range; None: of none. Empty: none has a step.
    """
    full = network.input_type
    if network.port_types:
        return network
    exponents = network.input_exponents or (0,) * network.inputs
    types = tuple(
        replace(
            full,
            signed=full.signed and one,
            fraction=_fraction(full, exponent, step),
        )
        for one, exponent, step in zip(
            signed, exponents, steps or (None,) * len(signed), strict=True
        )
    )
    if all(one == full for one in types):
        return network
    return connect(
        network.inputs,
        network.input_type,
        network.layers,
        network.input_exponents,
        network.sources,
        types,
    )


def _fraction(full: FixedPoint, exponent: int, step: float | None) -> int:
    """Return the fraction bits that are left of a port with a step."""
    if step is None:
        return full.fraction
    return min(full.fraction, exponent - round(math.log2(step)))


def connect(
    inputs: int,
    input_type: FixedPoint,
    layers: Sequence[Layer],
    input_exponents: tuple[int, ...] = (),
    sources: Wiring = (),
    port_types: tuple[FixedPoint, ...] = (),
) -> Network:
    """Make a network of layers: flatten its outputs and find their type.

    Args:
        inputs: how many.
        input_type: of each.
        layers: in an order in which each comes behind all that it needs.
        input_exponents: see :class:`Network`.
        sources: the tensors that each layer takes; empty for a chain.
        port_types: see :class:`Network`.

    Raises:
        DataError: a layer's sums do not fit into the mantissa of a float64.
    """
    if all(taken == (number,) for number, taken in enumerate(sources)):
        sources = ()
    network = Network(
        inputs=inputs,
        input_type=input_type,
        layers=tuple(layers),
        output_type=input_type,
        input_exponents=input_exponents,
        sources=sources,
        port_types=port_types,
    )
    ranges = value_ranges(network)
    if len(ranges[-1].shape) != 1:
        return extend(network, [Reshape("flat_outputs", shape=(ranges[-1].size,))])
    types = [input_type]
    for layer, taken, results in zip(network.layers, network.wiring, ranges[1:], strict=True):
        types.append(layer.result_type(types[taken[0]], results))
    _check_exact(network)
    return replace(network, output_type=types[-1])


def extend(network: Network, layers: Sequence[Layer], sources: Wiring = ()) -> Network:
    """Return a network with more layers behind its last one.

    Args:
        network: the network.
        layers: a chain, unless ``sources`` are given.
        sources: the tensors that each of the layers takes, counted in the new network.

    Raises:
        DataError: a layer's sums do not fit into the mantissa of a float64.
    """
    start = len(network.layers)
    more = sources or tuple((start + number,) for number in range(len(layers)))
    return connect(
        network.inputs,
        network.input_type,
        (*network.layers, *layers),
        network.input_exponents,
        (*network.wiring, *more),
        network.port_types,
    )


def truncate(network: Network, number: int) -> Network:
    """Return the network that ends behind its first ``number`` layers."""
    return connect(
        network.inputs,
        network.input_type,
        network.layers[:number],
        network.input_exponents,
        network.sources[:number],
        network.port_types,
    )


def input_range(network: Network) -> ValueRange:
    """Return the value range of the inputs."""
    return value_range_of_each(network.ports)


def value_ranges(network: Network) -> list[ValueRange]:
    """Return the value range of each tensor: of the inputs first, then of each layer's results."""
    ranges = [input_range(network)]
    for layer, taken in zip(network.layers, network.wiring, strict=True):
        ranges.append(layer.value_range(*(ranges[number] for number in taken)))
    return ranges


def widest_sum(network: Network) -> tuple[str, int]:
    """Return the name of the layer whose sums are the widest, and their bits without sign.

    Above :data:`EXACT_FLOAT32_BITS` QKeras, which adds in float32, may itself round.
    """
    ranges, widest = value_ranges(network), ("", 0)
    for layer, taken, results in zip(network.layers, network.wiring, ranges[1:], strict=True):
        # partial sums in any order: all terms count with their absolute value
        sums = layer.partial_sums(*(ranges[number] for number in taken))
        if sums is not None:
            bits = smallest_type(0.0, float(sums.max()), results.fraction).bits
            widest = max(widest, (layer.name, bits), key=lambda item: item[1])
    return widest


def evaluate(network: Network, x: ArrayLike) -> NDArray[np.float64]:
    """Compute the network in numpy, exactly: the reference that needs no other tool.

    Args:
        network: the network.
        x: (n, inputs) numbers; they are quantized to the input type first.

    Returns:
        (n, outputs) values of the output type.

    Raises:
        DataError: a layer's sums do not fit into the mantissa of a float64.
    """
    _check_exact(network)
    return evaluate_first(network, len(network.layers), network.to_port_values(x)) + 0.0


def evaluate_first(
    network: Network, number: int, ports: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the first layers of a network.

    Args:
        network: the network.
        number: how many of its layers.
        ports: (n, inputs) values of the input ports.

    Returns:
        (n, elements) results of the last of these layers, flattened.
    """
    results = np.empty((len(ports), value_ranges(network)[number].size))
    for start in range(0, len(ports), _BLOCK):
        tensors = {0: ports[start : start + _BLOCK]}
        _evaluate_layers(network, range(number), tensors)
        results[start : start + _BLOCK] = tensors[number].reshape(-1, results.shape[1])
    return results


def evaluate_rest(
    network: Network, number: int, ports: NDArray[np.float64], results: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the layers behind the first ones, which may take the inputs as well.

    Args:
        network: the network.
        number: how many of its layers are computed already.
        ports: (n, inputs) values of the input ports.
        results: (n, elements) results of layer ``number``.

    Returns:
        (n, outputs) values of the output type.
    """
    tensors = {0: ports, number: results}
    _evaluate_layers(network, range(number, len(network.layers)), tensors)
    return tensors[len(network.layers)]


def _evaluate_layers(
    network: Network, numbers: range, tensors: dict[int, NDArray[np.float64]]
) -> None:
    for number in numbers:
        taken = (tensors[source] for source in network.wiring[number])
        tensors[number + 1] = network.layers[number].apply(*taken)


def _check_exact(network: Network) -> None:
    name, bits = widest_sum(network)
    if bits > EXACT_FLOAT64_BITS:
        raise DataError(
            f"layer {name}: its sums take {bits} bits, more than the {EXACT_FLOAT64_BITS} that "
            "can be computed exactly; quantize its inputs or give it fewer bits"
        )
