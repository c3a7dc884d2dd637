"""The input ports of a QKeras model: the type of all, and what leads from them to each input."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, hull_of
from l1distill.firmware.network.layers import Affine, Quantize, Reshape, UnaryLayer
from l1distill.firmware.readers.hgq import QUANTIZER, quantizer_types
from l1distill.firmware.readers.qkeras_activations import activation_type
from l1distill.firmware.readers.qkeras_layers import rescaling_exponents
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.untyped import TypeChooser
from l1distill.firmware.readers.wiring import input_slice


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where a network begins."""

    inputs: int
    """How many numbers, of all inputs side by side."""
    type: FixedPoint
    """Of each of them."""
    exponents: tuple[int, ...]
    """See :class:`l1distill.firmware.network.network.Network`."""
    fronts: tuple[tuple[UnaryLayer, ...], ...]
    """Of each input of the model, the layers between the ports and its tensor."""
    is_typed: bool
    """Whether the model brings the type of each input."""
    types: tuple[FixedPoint, ...] = ()
    """Of each port, where they differ; see likewise."""


def read_ports(
    shapes: Sequence[tuple[int, ...]],
    firsts: Sequence[list[Any]],
    model: Any,
    chooser: TypeChooser | None,
) -> Ports:
    """Take the quantizers of the inputs, and ``Rescaling`` layers before them, from their front.

    Args:
        shapes: of each input, without events.
        firsts: the layers behind each input; what is read is taken out.
        model: for messages.
        chooser: of the type of inputs that have no quantizer; they are refused if None.

    Raises:
        DataError: an input has no quantizer, or a scale that is no power of two.
    """
    if all(_begins_with(first, (QUANTIZER,)) for first in firsts):
        return _ports_of_elements(shapes, firsts)
    sizes = [math.prod(shape) for shape in shapes]
    untyped = [not _has_quantizer(first) for first in firsts]
    chosen = _choose_type(sizes, firsts, untyped, model, chooser) if any(untyped) else None
    types, exponents, gains = [], [], []
    for number, (shape, first) in enumerate(zip(shapes, firsts, strict=True)):
        powers: tuple[int, ...] = (0,) * sizes[number]
        gains.append(np.ones(sizes[number]))
        if untyped[number]:
            assert chosen is not None
            start = sum(sizes[:number])
            powers = chosen[1][start : start + sizes[number]] or powers
            gains[-1] = np.ldexp(1.0, powers)
            types.append(chosen[0])
        else:
            if type(first[0]).__name__ == "Rescaling":
                powers = rescaling_exponents(first.pop(0), shape)
            quantizer = first.pop(0)
            types.append(activation_type(quantizer, quantizer.quantizer))
        exponents.append(powers)
    port_type = common_type(types)
    fronts, start = [], 0
    for number, (shape, fixed_type) in enumerate(zip(shapes, types, strict=True)):
        shift = fixed_type.integer - port_type.integer
        exponents[number] = tuple(power + shift for power in exponents[number])
        size, front = sizes[number], list[UnaryLayer]()
        gain = gains[number] * 2.0**shift
        if len(shapes) > 1:
            front += input_slice(number, start, size, sum(sizes))
        if np.any(gain != 1):
            front.append(Affine.exact(f"input_{number}_range", gain))
        if (
            replace(port_type, integer=fixed_type.integer, fraction=fixed_type.fraction)
            != fixed_type
            or port_type.bits != fixed_type.bits
        ):
            front.append(Quantize(f"input_{number}_type", type=fixed_type))
        if len(shape) > 1:
            name = "events" if len(shapes) == 1 else f"input_{number}_shape"
            front.append(Reshape(name, shape=shape))
        fronts.append(tuple(front))
        start += size
    flat = tuple(power for powers in exponents for power in powers)
    return Ports(
        inputs=start,
        type=port_type,
        exponents=flat if any(flat) else (),
        fronts=tuple(fronts),
        is_typed=not any(untyped),
    )


def common_type(types: Sequence[FixedPoint]) -> FixedPoint:
    """Return the type of ports for inputs of several types.

    Ranges of their own are shifts; the widest type then decides, and the others are quantized
    behind the ports.
    """
    first = types[0]
    if all(fixed_type == first for fixed_type in types):
        return first
    same_range = len({fixed_type.integer for fixed_type in types}) == 1
    integer = first.integer if same_range else 0
    digits = max(fixed_type.integer + fixed_type.fraction for fixed_type in types)
    overflows = {fixed_type.overflow for fixed_type in types}
    return FixedPoint(
        signed=any(fixed_type.signed for fixed_type in types),
        integer=integer,
        fraction=digits - integer,
        overflow=first.overflow if len(overflows) == 1 else "SAT",
    )


def _has_quantizer(first: Sequence[Any]) -> bool:
    """Tell whether an input begins with a quantizer, which a Rescaling may stand before."""
    return _begins_with(first, ("QActivation",)) or _begins_with(
        first, ("Rescaling", "QActivation")
    )


def _begins_with(first: Sequence[Any], names: tuple[str, ...]) -> bool:
    return tuple(type(layer).__name__ for layer in first[: len(names)]) == names


def _ports_of_elements(shapes: Sequence[tuple[int, ...]], firsts: Sequence[list[Any]]) -> Ports:
    """Take a type for each element from the quantizer of each input."""
    types = [
        fixed_type
        for shape, first in zip(shapes, firsts, strict=True)
        for fixed_type in quantizer_types(first.pop(0), shape)
    ]
    fronts, start = [], 0
    for number, shape in enumerate(shapes):
        size, front = math.prod(shape), list[UnaryLayer]()
        if len(shapes) > 1:
            front += input_slice(number, start, size, len(types))
        if len(shape) > 1:
            front.append(Reshape(f"input_{number}_shape", shape=shape))
        fronts.append(tuple(front))
        start += size
    return Ports(
        inputs=len(types),
        type=hull_of(types),
        exponents=(),
        fronts=tuple(fronts),
        is_typed=True,
        types=() if len(set(types)) == 1 and types[0].bits else tuple(types),
    )


def _choose_type(
    sizes: Sequence[int],
    firsts: Sequence[Sequence[Any]],
    untyped: Sequence[bool],
    model: Any,
    chooser: TypeChooser | None,
) -> tuple[FixedPoint, tuple[int, ...]]:
    """Choose the type of inputs without a quantizer, and the exponents of all."""
    if chooser is None:
        first = firsts[untyped.index(True)]
        refuse(
            first[0] if first else model.layers[0],
            "the inputs have no fixed-point type: begin with a QActivation(quantized_bits(...)), "
            "or name one as precision.input=",
        )
    return chooser.choose_input_type(sum(sizes))
