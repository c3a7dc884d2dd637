"""A quantized network as plain numbers: what every back end of the firmware starts from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint, smallest_type
from l1distill.firmware.network.layers import (
    Affine,
    Arithmetic,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Quantize,
    Reshape,
    Square,
    ValueRange,
    value_range_of,
)

EXACT_FLOAT32_BITS = 24
"""Sums that need more bits than a float32 mantissa are not exact in QKeras itself."""
EXACT_FLOAT64_BITS = 53
"""Nor are they in :func:`evaluate` above this."""
_BLOCK = 512
"""Events that :func:`run_layers` takes at a time, for the caches' sake."""
_NEW_GRID = Dense | Conv2D | Affine | Square | Arithmetic
"""Layers that compute, so that results need bits of their own."""


Wiring = tuple[tuple[int, ...], ...]
"""Of each layer, the tensors that it takes: 0 are the inputs, ``k`` is behind layer ``k - 1``."""


class Network(NamedTuple):
    """Layers between two fixed-point types: a chain, or branches that meet again.

    Events go in and come out flat; a layer that needs an image has a ``Reshape`` before it. What
    the last layer gives comes out.
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

    @property
    def wiring(self) -> Wiring:
        """Of each layer, the tensors that it takes, also for a chain."""
        return self.sources or tuple((number,) for number in range(len(self.layers)))

    @property
    def outputs(self) -> int:
        """How many numbers come out for an event."""
        return value_ranges(self)[-1].shape[0]

    @property
    def input_units(self) -> NDArray[np.float64]:
        """What a 1 at each input port stands for: (inputs,) powers of two."""
        exponents = self.input_exponents or (0,) * self.inputs
        return np.ldexp(1.0, np.asarray(exponents))

    def at_ports(self, x: ArrayLike) -> NDArray[np.float64]:
        """Returns what the firmware's input ports hold for an event.

        Args:
            x: (n, inputs) inputs, not NaN.

        Returns:
            (n, inputs) numbers of the input type.
        """
        return self.input_type.quantize(np.asarray(x, dtype=np.float64) / self.input_units)


def connect(
    inputs: int,
    input_type: FixedPoint,
    layers: Sequence[Layer],
    input_exponents: tuple[int, ...] = (),
    sources: Wiring = (),
) -> Network:
    """Returns the network of ``layers``: flattens what comes out and finds its type.

    Args:
        inputs: how many.
        input_type: of each.
        layers: in an order in which each comes behind all that it needs.
        input_exponents: see :class:`Network`.
        sources: the tensors that each layer takes; empty for a chain.

    Raises:
        DataError: a layer's sums do not fit into the mantissa of a float64.
    """
    if all(taken == (number,) for number, taken in enumerate(sources)):
        sources = ()
    network = Network(inputs, input_type, tuple(layers), input_type, input_exponents, sources)
    tensor = value_ranges(network)[-1]
    if len(tensor.shape) != 1:
        return extend(network, [Reshape("flat_outputs", (tensor.low.size,))])
    kinds, found = [input_type], value_ranges(network)
    for layer, taken, after in zip(network.layers, network.wiring, found[1:], strict=True):
        kind = kinds[taken[0]]
        if isinstance(layer, Quantize):
            kind = layer.type
        elif isinstance(layer, _NEW_GRID | Concatenate):
            kind = after.type
        kinds.append(kind)
    _check_exact(network)
    return network._replace(output_type=kinds[-1])


def extend(network: Network, layers: Sequence[Layer], sources: Wiring = ()) -> Network:
    """Returns a network with more layers behind its last one.

    Args:
        network: the network.
        layers: a chain, or as ``sources`` says.
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
    )


def up_to(network: Network, number: int) -> Network:
    """Returns the network that ends behind its first ``number`` layers."""
    return connect(
        network.inputs,
        network.input_type,
        network.layers[:number],
        network.input_exponents,
        network.sources[:number],
    )


def value_ranges(network: Network) -> list[ValueRange]:
    """Returns what each tensor can hold: the inputs first, then behind every layer."""
    found = [value_range_of(network.input_type, network.inputs)]
    for layer, taken in zip(network.layers, network.wiring, strict=True):
        found.append(layer.value_range(*(found[number] for number in taken)))
    return found


def widest_sum(network: Network) -> tuple[str, int]:
    """Returns the name of the layer whose sums are the widest, and their bits without sign.

    Above :data:`EXACT_FLOAT32_BITS` QKeras, which adds in float32, may itself round.
    """
    found, widest = value_ranges(network), ("", 0)
    for layer, taken, after in zip(network.layers, network.wiring, found[1:], strict=True):
        if isinstance(layer, _NEW_GRID):
            # partial sums in any order: all terms count with their absolute value
            total = float(layer.partial_sums(*(found[number] for number in taken)).max())
            bits = smallest_type(0.0, total, after.fraction).bits
            widest = max(widest, (layer.name, bits), key=lambda item: item[1])
    return widest


def evaluate(network: Network, x: ArrayLike) -> NDArray[np.float64]:
    """Computes the network in numpy, exactly: the reference that knows no other tool.

    Args:
        network: the network.
        x: (n, inputs) numbers; they are quantized to the input type first.

    Returns:
        (n, outputs) values of the output type.

    Raises:
        DataError: a layer's sums do not fit into the mantissa of a float64.
    """
    _check_exact(network)
    return run_layers(network, len(network.layers), network.at_ports(x)) + 0.0


def run_layers(network: Network, number: int, ports: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes the first layers of a network.

    Args:
        network: the network.
        number: how many of its layers.
        ports: (n, inputs) what the input ports hold.

    Returns:
        (n, elements) what the last of them gives, flattened.
    """
    result = np.empty((len(ports), value_ranges(network)[number].low.size))
    for start in range(0, len(ports), _BLOCK):
        tensors = {0: ports[start : start + _BLOCK]}
        _run(network, range(number), tensors)
        result[start : start + _BLOCK] = tensors[number].reshape(-1, result.shape[1])
    return result


def run_behind(
    network: Network, number: int, ports: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Computes the layers behind the first ones, which may take the inputs as well.

    Args:
        network: the network.
        number: how many of its layers somebody else has computed.
        ports: (n, inputs) what the input ports hold.
        values: (n, elements) what came of that.

    Returns:
        (n, outputs) values of the output type.
    """
    tensors = {0: ports, number: values}
    _run(network, range(number, len(network.layers)), tensors)
    return tensors[len(network.layers)]


def _run(network: Network, which: range, tensors: dict[int, NDArray[np.float64]]) -> None:
    for number in which:
        taken = (tensors[source] for source in network.wiring[number])
        tensors[number + 1] = network.layers[number].apply(*taken)


def _check_exact(network: Network) -> None:
    name, bits = widest_sum(network)
    if bits > EXACT_FLOAT64_BITS:
        raise DataError(
            f"layer {name}: its sums take {bits} bits, more than the {EXACT_FLOAT64_BITS} that "
            "can be computed exactly; quantize its inputs or give it fewer bits"
        )
