"""Reads QKeras' quantizers of activations: the type of each, and the layers that compute it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, Overflow, smallest_type
from l1distill.firmware.network.layers import Affine, Quantize, UnaryLayer
from l1distill.firmware.network.network import EXACT_FLOAT32_BITS
from l1distill.firmware.network.value_range import Array, ValueRange
from l1distill.firmware.readers.qkeras_weights import bits_type, check_quantizer
from l1distill.firmware.readers.refusal import refuse


def activation_type(layer: Any, quantizer: Any) -> FixedPoint:
    """Return the type that a ``quantized_bits`` or a plain ``quantized_relu`` rounds to.

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


def quantizer_fraction(layers: Sequence[Any]) -> int | None:
    """Return the bits behind the point of the plain quantizer that layers begin with.

    Layers before it that only give its input another shape do not count.

    Returns:
        None if they begin with something else.
    """
    for layer in layers:
        if type(layer).__name__ in ("Flatten", "Reshape"):
            continue
        quantizer: Any = getattr(layer, "quantizer", None)
        plain = type(quantizer).__name__ in ("quantized_bits", "quantized_relu")
        if not plain or getattr(quantizer, "negative_slope", 0) != 0:
            return None
        if quantizer.bits == 1 or (
            type(quantizer).__name__ == "quantized_bits" and np.any(_alpha(layer, quantizer) != 1)
        ):
            return None
        return activation_type(layer, quantizer).fraction
    return None


def _alpha(layer: Any, quantizer: Any) -> Array:
    """Return the scale of a quantizer of activations, which must not depend on the events.

    Raises:
        DataError: QKeras would compute it from all events that come together.
    """
    if isinstance(quantizer.alpha, str):
        refuse(
            layer,
            f"{type(quantizer).__name__} has alpha={quantizer.alpha!r}, a scale that depends on "
            "the other events; use alpha=1",
        )
    alpha = 1.0 if quantizer.alpha is None else quantizer.alpha
    result: Array = np.asarray(np.asarray(alpha, np.float32), np.float64)
    if not np.isfinite(result).all():
        refuse(layer, f"{type(quantizer).__name__} has alpha={alpha!r}, which is not finite")
    return result


def _check_relu(layer: Any, quantizer: Any) -> None:
    check_quantizer(layer, quantizer)
    for option, required in (("use_sigmoid", 0), ("is_quantized_clip", 1)):
        if getattr(quantizer, option) != required:
            refuse(layer, f"quantized_relu with {option}={getattr(quantizer, option)!r}")


def quantizer_layers(
    layer: Any, name: str, quantizer: Any, tensor: ValueRange
) -> Iterator[UnaryLayer]:
    """Yield the layers that compute a quantizer of activations.

    Args:
        layer: for messages.
        name: of the layers.
        quantizer: any that QKeras puts behind a layer.
        tensor: the value range of its input.

    Raises:
        DataError: it cannot be reproduced exactly.
    """
    class_name = type(quantizer).__name__
    if class_name in ("quantized_sigmoid", "quantized_tanh"):
        yield from _hard_function(layer, name, quantizer, tensor)
    elif class_name == "binary":
        yield from _binary(layer, name, quantizer, tensor)
    elif class_name == "ternary":
        yield from _ternary(layer, name, quantizer, tensor)
    elif class_name == "quantized_bits":
        yield from _bits(layer, name, quantizer, tensor)
    elif class_name == "quantized_relu" and getattr(quantizer, "negative_slope", 0) != 0:
        yield from _leaky_relu(layer, name, quantizer, tensor)
    else:
        yield Quantize(name, type=activation_type(layer, quantizer))


def _leaky_relu(layer: Any, name: str, quantizer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    """Yield QKeras' leaky ReLU: it cuts at ``-2**integer`` before the slope.

    The product is rounded to a bit less than the type has.
    """
    _check_relu(layer, quantizer)
    bits, integer = int(quantizer.bits) - 1, int(quantizer.integer)
    slope = exact_slope(layer, float(quantizer.negative_slope))
    instead = (
        f"use LeakyReLU({slope:g}) and QActivation(quantized_bits({bits + 1}, {integer}, alpha=1))"
    )
    if -math.log2(slope) > bits:
        refuse(layer, f"{bits + 1} bits cannot hold its negative_slope={slope:g}; {instead}")
    result_type = FixedPoint(signed=True, integer=integer, fraction=bits - integer)
    fine_type = replace(
        result_type, fraction=max(result_type.fraction, tensor.fraction), rounding="TRN"
    )
    if tensor.low.min() < fine_type.low:
        if fine_type.bits > EXACT_FLOAT32_BITS:
            refuse(layer, f"its negative_slope cuts sums of {fine_type.bits} bits; {instead}")
        yield Quantize(f"{name}_cut", type=fine_type)
    yield Quantize(name, type=result_type, negative_slope=slope)


def _hard_function(
    layer: Any, name: str, quantizer: Any, tensor: ValueRange
) -> Iterator[UnaryLayer]:
    """Yield QKeras' own sigmoid, ``clip(x / 2 + 1 / 2, 0, 1)``, or tanh, ``clip(x, -1, 1)``."""
    from qkeras import quantizers

    function = type(quantizer).__name__.removeprefix("quantized_")
    if getattr(quantizer, f"use_real_{function}"):
        refuse(layer, f"a real {function} is not exact; use use_real_{function}=False")
    if quantizers._sigmoid is not quantizers.hard_sigmoid:
        refuse(layer, "only QKeras' hard sigmoid is supported; set_internal_sigmoid('hard')")
    check_quantizer(layer, quantizer)
    bits = int(quantizer.bits)
    if function == "tanh":
        overflow: Overflow = "SAT_SYM" if quantizer.symmetric else "SAT"
        tanh_type = FixedPoint(signed=True, integer=0, fraction=bits - 1, overflow=overflow)
        yield Quantize(name, type=tanh_type)
        return
    if quantizer.symmetric:
        refuse(layer, "a quantized_sigmoid with symmetric=True is not supported; leave it out")
    half = np.full(tensor.shape[-1], 0.5)
    yield Affine.exact(f"{name}_line", half, half)
    yield Quantize(name, type=FixedPoint(signed=False, integer=0, fraction=bits))


def _bits(layer: Any, name: str, quantizer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    """Yield rounding and clipping, and a scale of the results behind it."""
    alpha = _alpha(layer, quantizer)
    if quantizer.bits == 1 and quantizer.keep_negative:
        yield from _binary(layer, name, quantizer, tensor)
        return
    rounding = Quantize(name, type=bits_type(layer, quantizer))
    yield rounding
    if np.all(alpha == 1):
        return
    scaling = Affine.exact(f"{name}_scale", np.broadcast_to(alpha.ravel(), tensor.shape[-1:]))
    yield scaling
    _check_difference(layer, tensor, scaling.value_range(rounding.value_range(tensor)))


def _check_difference(layer: Any, before: ValueRange, after: ValueRange) -> None:
    """Refuse a scale with which QKeras rounds: it adds a float32 difference to what came in."""
    both = smallest_type(
        float(min(before.low.min(), after.low.min())),
        float(max(before.high.max(), after.high.max())),
        max(before.fraction, after.fraction),
    )
    if both.bits > EXACT_FLOAT32_BITS:
        refuse(
            layer,
            f"with this alpha QKeras itself rounds numbers of {both.bits} bits to float32, which "
            "no fixed type reproduces; use a power of two",
        )


def _binary(layer: Any, name: str, quantizer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    """Yield -1 or 0 for a number's sign bit, and make of it -1 or 1, or 0 or 1."""
    check_quantizer(layer, quantizer)
    alpha = _power_of_two(layer, quantizer)
    channels = np.ones(tensor.shape[-1])
    scale = channels * alpha * (1 if getattr(quantizer, "use_01", False) else 2)
    sign = FixedPoint(signed=True, integer=0, fraction=0, rounding="TRN", overflow="SAT")
    yield Quantize(name, type=sign)
    yield Affine.exact(f"{name}_value", scale, channels * alpha)


def _ternary(layer: Any, name: str, quantizer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    """Yield -1, 0 or 1 for numbers up to minus a threshold, between, and from it on.

    Rounding half to even gives that of ``x * scale``, where the threshold becomes a little more
    than a half and the number one step below it a half at most.
    """
    check_quantizer(layer, quantizer)
    alpha = _power_of_two(layer, quantizer)
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
    scale = np.full(tensor.shape[-1], math.ldexp(multiple, tensor.fraction - digits + exponent))
    yield Affine.exact(f"{name}_scale", scale)
    signs = FixedPoint(signed=True, integer=1 + exponent, fraction=-exponent, overflow="SAT_SYM")
    yield Quantize(name, type=signs)


def _power_of_two(layer: Any, quantizer: Any) -> float:
    """Return the one power of two by which a quantizer multiplies a sign."""
    alpha = _alpha(layer, quantizer)
    if alpha.size != 1 or math.frexp(float(alpha.item()))[0] != 0.5:
        name = type(quantizer).__name__
        refuse(layer, f"{name} with alpha={quantizer.alpha!r} is not exact; use one power of two")
    return float(alpha.item())


def exact_slope(layer: Any, slope: float) -> float:
    """Return the slope of a leaky ReLU below zero, if firmware can multiply by it.

    Raises:
        DataError: it is no power of two up to 1.
    """
    if not 0 < slope <= 1 or math.frexp(slope)[0] != 0.5:
        refuse(layer, f"a negative slope of {slope:g} is not exact; use a power of two, as 0.25")
    return slope
