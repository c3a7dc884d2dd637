"""Reads QKeras' quantizers of activations: what each rounds to, and the layers that it takes."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.activations import FUNCTIONS
from l1distill.firmware.network.fixed_point import FixedPoint, Overflow, grid_of, smallest_type
from l1distill.firmware.network.layers import Affine, Quantize, UnaryLayer
from l1distill.firmware.network.network import EXACT_FLOAT32_BITS
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import refuse
from l1distill.firmware.readers.qkeras_weights import bits_type, check_quantizer


def activation_type(layer: Any, quantizer: Any) -> FixedPoint:
    """Returns the type that a ``quantized_bits`` or a plain ``quantized_relu`` rounds to.

    Raises:
        DataError: it is another quantizer, or an option of it cannot be reproduced.
    """
    name = type(quantizer).__name__
    if name == "quantized_bits":
        if np.any(_alpha(layer, quantizer) != 1):
            refuse(layer, f"quantized_bits has alpha={quantizer.alpha!r}; use alpha=1")
        return bits_type(layer, quantizer)
    if name != "quantized_relu":
        shown = getattr(quantizer, "__name__", name)
        refuse(
            layer,
            f"{shown} is not supported here; use quantized_relu or quantized_bits, and behind a "
            "layer also binary, ternary or a hard quantized_sigmoid or quantized_tanh",
        )
    _check_relu(layer, quantizer)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    return FixedPoint(signed=False, integer=integer, fraction=bits - integer)


def _alpha(layer: Any, quantizer: Any) -> NDArray[np.float64]:
    """Returns the scale of a quantizer of activations, which stands before any event comes.

    Raises:
        DataError: it does not: it would be made of all events that come together.
    """
    if isinstance(quantizer.alpha, str):
        refuse(
            layer,
            f"{type(quantizer).__name__} has alpha={quantizer.alpha!r}, a scale that depends on "
            "the other events; use alpha=1",
        )
    alpha = 1.0 if quantizer.alpha is None else quantizer.alpha
    result: NDArray[np.float64] = np.asarray(np.asarray(alpha, np.float32), np.float64)
    if not np.isfinite(result).all():
        refuse(layer, f"{type(quantizer).__name__} has alpha={alpha!r}, which is not finite")
    return result


def _check_relu(layer: Any, quantizer: Any) -> None:
    check_quantizer(layer, quantizer)
    for option, required in (("use_sigmoid", 0), ("is_quantized_clip", 1)):
        if getattr(quantizer, option) != required:
            refuse(layer, f"quantized_relu with {option}={getattr(quantizer, option)!r}")


def quantizer_layers(
    layer: Any, name: str, quantizer: Any, tensor: ValueRange | None
) -> Iterator[UnaryLayer]:
    """Yields what a quantizer of activations computes.

    Args:
        layer: for messages.
        name: of what is yielded.
        quantizer: any that QKeras puts behind a layer.
        tensor: what goes in.

    Raises:
        DataError: it cannot be reproduced exactly.
    """
    called = type(quantizer).__name__
    if called in ("quantized_sigmoid", "quantized_tanh"):
        yield from _hard_function(layer, name, quantizer, tensor)
        return
    if called == "binary":
        yield from _sign(layer, name, quantizer, tensor)
        return
    if called == "ternary":
        yield from _three(layer, name, quantizer, tensor)
        return
    if called == "quantized_bits":
        yield from _bits(layer, name, quantizer, tensor)
        return
    slope = getattr(quantizer, "negative_slope", 0)
    if called != "quantized_relu" or slope == 0:
        yield Quantize(name, type=activation_type(layer, quantizer))
        return
    _check_relu(layer, quantizer)
    # QKeras cuts at -2**integer before the slope, and rounds the product to a bit less
    bits, integer = int(quantizer.bits) - 1, int(quantizer.integer)
    slope = exact_slope(layer, float(slope))
    instead = (
        f"use LeakyReLU({slope:g}) and QActivation(quantized_bits({bits + 1}, {integer}, alpha=1))"
    )
    if -math.log2(slope) > bits:
        refuse(layer, f"{bits + 1} bits cannot hold its negative_slope={slope:g}; {instead}")
    assert tensor is not None
    kind = FixedPoint(signed=True, integer=integer, fraction=bits - integer)
    fine = replace(kind, fraction=max(kind.fraction, tensor.fraction), rounding="TRN")
    if tensor.low.min() < fine.low:
        if fine.bits > EXACT_FLOAT32_BITS:
            refuse(layer, f"its negative_slope cuts sums of {fine.bits} bits; {instead}")
        yield Quantize(f"{name}_cut", type=fine)
    yield Quantize(name, type=kind, negative_slope=slope)


def _hard_function(
    layer: Any, name: str, quantizer: Any, tensor: ValueRange | None
) -> Iterator[UnaryLayer]:
    """Yields QKeras' own sigmoid, ``clip(x / 2 + 1 / 2, 0, 1)``, or tanh, ``clip(x, -1, 1)``."""
    from qkeras import quantizers

    assert tensor is not None
    function = type(quantizer).__name__.removeprefix("quantized_")
    if getattr(quantizer, f"use_real_{function}"):
        refuse(layer, f"a real {function} is not exact; use use_real_{function}=False")
    if quantizers._sigmoid is not quantizers.hard_sigmoid:
        refuse(layer, "only QKeras' hard sigmoid is supported; set_internal_sigmoid('hard')")
    check_quantizer(layer, quantizer)
    bits = int(quantizer.bits)
    if function == "tanh":
        yield Quantize(
            name,
            type=FixedPoint(
                signed=True,
                integer=0,
                fraction=bits - 1,
                overflow="SAT_SYM" if quantizer.symmetric else "SAT",
            ),
        )
        return
    if quantizer.symmetric:
        refuse(layer, "a quantized_sigmoid with symmetric=True is not supported; leave it out")
    half = np.full(tensor.shape[-1], 0.5)
    yield Affine(
        f"{name}_line", scale=half, offset=half, scale_type=grid_of(half), offset_type=grid_of(half)
    )
    yield Quantize(name, type=FixedPoint(signed=False, integer=0, fraction=bits))


def _bits(layer: Any, name: str, quantizer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    """Yields rounding and clipping, and a scale of the results behind it."""
    alpha = _alpha(layer, quantizer)
    if quantizer.bits == 1 and quantizer.keep_negative:
        yield from _sign(layer, name, quantizer, tensor)
        return
    rounding = Quantize(name, type=bits_type(layer, quantizer))
    yield rounding
    if np.all(alpha == 1):
        return
    assert tensor is not None
    scale = np.broadcast_to(alpha.ravel(), tensor.shape[-1:])
    zeros = np.zeros_like(scale)
    scaling = Affine(
        f"{name}_scale",
        scale=scale,
        offset=zeros,
        scale_type=grid_of(scale),
        offset_type=grid_of(zeros),
    )
    yield scaling
    _check_difference(layer, tensor, scaling.value_range(rounding.value_range(tensor)))


def _check_difference(layer: Any, before: ValueRange, after: ValueRange) -> None:
    """Refuses a scale with which QKeras rounds: it adds a float32 difference to what came in."""
    both = smallest_type(
        float(min(before.low.min(), after.low.min())),
        float(max(before.high.max(), after.high.max())),
        max(before.fraction, after.fraction),
    )
    if both.bits > EXACT_FLOAT32_BITS:
        refuse(
            layer,
            f"with this alpha QKeras itself rounds numbers of {both.bits} bits, now so and now so; "
            "use a power of two",
        )


def _sign(layer: Any, name: str, quantizer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    """Yields -1 or 0 for a number's sign bit, and makes of it -1 or 1, or 0 or 1."""
    assert tensor is not None
    check_quantizer(layer, quantizer)
    alpha = _power(layer, quantizer)
    channels = np.ones(tensor.shape[-1])
    scale = channels * alpha * (1 if getattr(quantizer, "use_01", False) else 2)
    offset = channels * alpha
    yield Quantize(
        name, type=FixedPoint(signed=True, integer=0, fraction=0, rounding="TRN", overflow="SAT")
    )
    yield Affine(
        f"{name}_value",
        scale=scale,
        offset=offset,
        scale_type=grid_of(scale),
        offset_type=grid_of(offset),
    )


def _three(
    layer: Any, name: str, quantizer: Any, tensor: ValueRange | None
) -> Iterator[UnaryLayer]:
    """Yields -1, 0 or 1 for numbers up to minus a threshold, between, and from it on.

    Rounding half to even gives that of ``x * scale``, where the threshold becomes a little more
    than a half and the number one step below it a half at most.
    """
    assert tensor is not None
    check_quantizer(layer, quantizer)
    alpha = _power(layer, quantizer)
    default = quantizer.default_threshold
    threshold = float(np.float32(default if quantizer.threshold is None else quantizer.threshold))
    if not math.isfinite(threshold):
        refuse(layer, f"ternary has threshold={threshold:g}, which is not finite")
    # counted in steps of what comes in; QKeras makes a 0 of a 0 whatever the threshold
    steps = max(math.ceil(threshold * 2.0**tensor.fraction), 1)
    steps = min(steps, math.floor(float(tensor.magnitude.max()) * 2.0**tensor.fraction) + 1)
    digits = 0
    while (multiple := math.floor(2.0 ** (digits - 1) / steps) + 1) * (steps - 1) * 2 > 2**digits:
        digits += 1
    exponent = math.frexp(alpha)[1] - 1
    channels = np.ones(tensor.shape[-1])
    scale = channels * math.ldexp(multiple, tensor.fraction - digits + exponent)
    yield Affine(
        f"{name}_scale",
        scale=scale,
        offset=0 * channels,
        scale_type=grid_of(scale),
        offset_type=grid_of(0 * channels),
    )
    yield Quantize(
        name,
        type=FixedPoint(
            signed=True,
            integer=1 + exponent,
            fraction=-exponent,
            rounding="RND_CONV",
            overflow="SAT_SYM",
        ),
    )


def _power(layer: Any, quantizer: Any) -> float:
    """Returns the one power of two by which a quantizer multiplies a sign."""
    alpha = _alpha(layer, quantizer)
    if alpha.size != 1 or math.frexp(float(alpha.item()))[0] != 0.5:
        name = type(quantizer).__name__
        refuse(layer, f"{name} with alpha={quantizer.alpha!r} is not exact; use one power of two")
    return float(alpha.item())


class RealFunction(NamedTuple):
    """A sigmoid or tanh that is no straight line."""

    function: str
    kind: FixedPoint | None
    """What its results are rounded to, where the layer says so."""


def real_function(layer: Any) -> RealFunction | None:
    """Returns the real sigmoid or tanh that a layer is, if it is one."""
    if type(layer).__name__ == "Activation":
        name = getattr(layer.activation, "__name__", "")
        return RealFunction(name, None) if name in FUNCTIONS else None
    if type(layer).__name__ != "QActivation":
        return None
    quantizer = layer.quantizer
    function = type(quantizer).__name__.removeprefix("quantized_")
    if function not in FUNCTIONS or not getattr(quantizer, f"use_real_{function}"):
        return None
    check_quantizer(layer, quantizer)
    signed = FUNCTIONS[function].signed
    if quantizer.symmetric and not signed:
        refuse(layer, "a quantized_sigmoid with symmetric=True is not supported; leave it out")
    overflow: Overflow = "SAT_SYM" if quantizer.symmetric else "SAT"
    return RealFunction(
        function,
        FixedPoint(
            signed=signed, integer=0, fraction=int(quantizer.bits) - signed, overflow=overflow
        ),
    )


def exact_slope(layer: Any, slope: float) -> float:
    """Returns the slope of a leaky ReLU below zero, if firmware can multiply by it.

    Raises:
        DataError: it is no power of two up to 1.
    """
    if not 0 < slope <= 1 or math.frexp(slope)[0] != 0.5:
        refuse(layer, f"a negative slope of {slope:g} is not exact; use a power of two, as 0.25")
    return slope
