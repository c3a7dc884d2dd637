"""Conversion of the trigger's own integers to the inputs of a network, in the same firmware.

Objects arrive in hardware units: a code is pT, eta or phi in steps of the trigger, phi counted from
0 to the full circle. In front of a network's layers come layers that shift or scale each of them,
so that its own inputs are what they were when it was trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.firmware.network.fixed_point import BIT, FixedPoint, smallest_type
from l1distill.firmware.network.layers import (
    Affine,
    Layer,
    Quantize,
    QuantizeElements,
    Subtract,
)
from l1distill.firmware.network.network import Network, connect, evaluate_first

CONSTANT_BITS = 24
"""Most bits of a constant: alkaid holds it as a float32."""


@dataclass(frozen=True, kw_only=True)
class IntegerPort:
    """An input port that carries an integer of the trigger, and what the network takes of it.

    The network's input is ``gain * (code - offset)``.
    """

    name: str
    bits: int
    signed: bool
    gain: float
    offset: float
    period: int | None = None
    """Codes from half of it on count as negative, less the period: angles of -pi to pi."""
    fraction_bits: int | None = None
    """Bits behind the binary point that the product keeps before it is rounded to the network's
    input, the others dropped; ``None`` keeps it exact."""

    @property
    def type(self) -> FixedPoint:
        """The type of the port."""
        whole = FixedPoint(signed=self.signed, integer=self.bits - self.signed, fraction=0)
        return whole.bare


@dataclass(frozen=True, kw_only=True)
class PortedNetwork:
    """A network behind integer ports."""

    network: Network
    """With the layers of the conversion in front."""
    behind: Network
    """The network alone."""
    layers: int
    """Number of layers of the conversion."""

    def converted(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the inputs of the network behind the conversion.

        Args:
            codes: (n, inputs) integers.

        Returns:
            (n, inputs) inputs, on the grid of the network's input type.
        """
        return evaluate_first(self.network, self.layers, codes) * self.behind.input_units


def with_integer_ports(network: Network, ports: Sequence[IntegerPort]) -> PortedNetwork:
    """Put the conversion from integers in front of a network.

    A factor that is no power of two becomes the shortest constant with which every code of the port
    gives the input that exact arithmetic gives.

    Args:
        network: with its score.
        ports: one for each input.

    Raises:
        ConfigError: there is another number of ports than inputs, or a factor needs more bits than
            the firmware's constants have.
    """
    check_number(len(ports), network.inputs)
    layers: list[Layer] = []
    sources: list[tuple[int, ...]] = []

    def add(layer: Layer, *taken: int) -> int:
        layers.append(layer)
        sources.append(taken or (len(layers) - 1,))
        return len(layers)

    periods = np.array([float(port.period or 0) for port in ports])
    if periods.any():  # 1 from half of the period on, times the period, is taken off
        turns = periods > 0
        beyond = np.where(turns, 1.0 - np.floor(periods / 2), 0.0)
        add(Affine.exact("port_half_turn", turns.astype(np.float64), beyond), 0)
        add(Quantize("port_is_beyond", type=BIT))
        full = add(Affine.exact("port_full_turn", periods))
        add(Subtract("port_angle"), 0, full)
    units = network.input_units
    gains = np.array(
        [
            _gain(port, unit, input_type)
            for port, unit, input_type in zip(ports, units, network.ports, strict=True)
        ]
    )
    offsets = -gains * np.array([port.offset for port in ports])
    add(Affine.exact("port_units", gains, offsets), len(layers))
    kept = {port.fraction_bits for port in ports}
    if kept != {None}:
        add(_dropped(ports, gains, offsets, units, kept))
    if network.port_types:
        add(QuantizeElements("port_input", types=network.port_types))
    else:
        add(Quantize("port_input", type=network.input_type))
    first = len(layers)
    behind = [tuple(source + first for source in taken) for taken in network.wiring]
    types = tuple(port.type for port in ports)
    ported = connect(
        network.inputs,
        _common(types),
        (*layers, *network.layers),
        sources=(*sources, *behind),
        port_types=types,
    )
    return PortedNetwork(network=ported, behind=network, layers=first)


def check_number(ports: int, inputs: int) -> None:
    """Refuse another number of ports than the network has inputs.

    Raises:
        ConfigError: the numbers differ.
    """
    if ports != inputs:
        raise ConfigError(
            f"ports.objects: {ports} ports for the {inputs} inputs of the network; list as many, "
            "in its order"
        )


def to_codes(x: NDArray[np.float64], ports: Sequence[IntegerPort]) -> NDArray[np.float64]:
    """Return the integers nearest to inputs of the network, clipped to their ports.

    Args:
        x: (n, inputs) inputs of the network.
        ports: one for each input.

    Returns:
        (n, inputs) integers.
    """
    gains = np.array([port.gain for port in ports])
    codes = np.rint(x / gains + np.array([port.offset for port in ports]))
    for column, port in enumerate(ports):
        if port.period:
            codes[:, column] %= port.period
        codes[:, column] = np.clip(codes[:, column], port.type.low, port.type.high)
    result: NDArray[np.float64] = codes + 0.0
    return result


def _common(types: Sequence[FixedPoint]) -> FixedPoint:
    """Return the type of integers that holds those of all ports."""
    low, high = min(kind.low for kind in types), max(kind.high for kind in types)
    return smallest_type(low, high, 0)


def _codes(port: IntegerPort) -> NDArray[np.float64]:
    """Return every integer of a port as the conversion counts it."""
    codes: NDArray[np.float64] = np.arange(port.type.low, port.type.high + 1)
    if port.period:
        codes = np.where(codes >= port.period // 2, codes - port.period, codes)
    return codes


def _gain(port: IntegerPort, unit: float, input_type: FixedPoint) -> float:
    """Return the shortest constant that gives the same input for every code of a port."""
    exact = port.gain / unit
    if np.frexp(exact)[0] == 0.5:
        return exact
    counted = _codes(port) - port.offset
    wanted = input_type.quantize(counted * exact)
    exponent = int(np.frexp(exact)[1])
    for bits in range(1, CONSTANT_BITS + 1):
        step = 2.0 ** (exponent - bits)
        gain = float(np.rint(exact / step) * step)
        if np.array_equal(input_type.quantize(counted * gain), wanted):
            return gain
    raise ConfigError(
        f"ports: {port.name}: no constant of {CONSTANT_BITS} bits converts every code exactly; "
        "give the port fewer bits, or the network's input"
    )


def _dropped(
    ports: Sequence[IntegerPort],
    gains: NDArray[np.float64],
    offsets: NDArray[np.float64],
    units: NDArray[np.float64],
    kept: set[int | None],
) -> Quantize:
    """Return the layer that drops the bits of a product that the trigger's type has not."""
    if len(kept) != 1 or len(set(units.tolist())) != 1:
        raise ConfigError(
            "ports.fraction_bits: goes with inputs of one range; leave it out, or give all inputs "
            "of the network the same range"
        )
    (bits,) = kept
    assert bits is not None
    ends = [
        _codes(port) * gain + offset
        for port, gain, offset in zip(ports, gains, offsets, strict=True)
    ]
    low, high = min(float(e.min()) for e in ends), max(float(e.max()) for e in ends)
    fraction = bits + round(float(np.log2(units[0])))
    step = 2.0**-fraction
    low, high = float(np.floor(low / step) * step), float(np.ceil(high / step) * step)
    wide = smallest_type(low, high, fraction)
    return Quantize("port_bits", type=replace(wide, rounding="TRN", overflow="SAT"))
