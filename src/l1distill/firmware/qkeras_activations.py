"""Reads QKeras' quantisers of activations: what each rounds to, and the layers that it takes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from l1distill.firmware.fixed_point import FixedPoint, grid_of
from l1distill.firmware.keras_graph import refuse
from l1distill.firmware.layers import Affine, Quantise, Span, Unary
from l1distill.firmware.network import EXACT_FLOAT32_BITS
from l1distill.firmware.qkeras_weights import bits_type, check_quantizer


def activation_type(layer: Any, quantizer: Any) -> FixedPoint:
    """Returns the type that a ``quantized_bits`` or a plain ``quantized_relu`` rounds to.

    Raises:
        InputError: it is another quantiser, or an option of it cannot be reproduced.
    """
    name = type(quantizer).__name__
    if name == "quantized_bits":
        if isinstance(quantizer.alpha, str):
            refuse(
                layer,
                f"quantized_bits has alpha={quantizer.alpha!r}, a scale that depends on the other "
                "events; use alpha=1",
            )
        if quantizer.alpha is not None and quantizer.alpha != 1:
            refuse(layer, f"quantized_bits has alpha={quantizer.alpha!r}; use alpha=1")
        return bits_type(layer, quantizer)
    if name != "quantized_relu":
        shown = getattr(quantizer, "__name__", name)
        refuse(
            layer,
            f"{shown} is not supported; use quantized_relu, quantized_bits, binary or a hard "
            "quantized_sigmoid or quantized_tanh",
        )
    _check_relu(layer, quantizer)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    return FixedPoint(False, integer, bits - integer)


def _check_relu(layer: Any, quantizer: Any) -> None:
    check_quantizer(layer, quantizer)
    for option, required in (("use_sigmoid", 0), ("is_quantized_clip", 1)):
        if getattr(quantizer, option) != required:
            refuse(layer, f"quantized_relu with {option}={getattr(quantizer, option)!r}")


def quantiser_layers(layer: Any, name: str, quantizer: Any, tensor: Span | None) -> Iterator[Unary]:
    """Yields what a quantiser of activations computes.

    Args:
        layer: for messages.
        name: of what is yielded.
        quantizer: any that QKeras puts behind a layer.
        tensor: what goes in.

    Raises:
        InputError: it cannot be reproduced exactly.
    """
    called = type(quantizer).__name__
    if called in ("quantized_sigmoid", "quantized_tanh"):
        yield from _hard_function(layer, name, quantizer, tensor)
        return
    if called == "binary":
        yield from _sign(layer, name, quantizer, tensor)
        return
    slope = getattr(quantizer, "negative_slope", 0)
    if called != "quantized_relu" or slope == 0:
        yield Quantise(name, activation_type(layer, quantizer))
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
    kind = FixedPoint(True, integer, bits - integer)
    fine = kind._replace(fraction=max(kind.fraction, tensor.fraction), rounding="TRN")
    if tensor.low.min() < fine.low:
        if fine.bits > EXACT_FLOAT32_BITS:
            refuse(layer, f"its negative_slope cuts sums of {fine.bits} bits; {instead}")
        yield Quantise(f"{name}_cut", fine)
    yield Quantise(name, kind, slope)


def _hard_function(layer: Any, name: str, quantizer: Any, tensor: Span | None) -> Iterator[Unary]:
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
        yield Quantise(
            name,
            FixedPoint(True, 0, bits - 1, overflow="SAT_SYM" if quantizer.symmetric else "SAT"),
        )
        return
    if quantizer.symmetric:
        refuse(layer, "a quantized_sigmoid with symmetric=True is not supported; leave it out")
    half = np.full(tensor.shape[-1], 0.5)
    yield Affine(f"{name}_line", half, half, grid_of(half), grid_of(half))
    yield Quantise(name, FixedPoint(False, 0, bits))


def _sign(layer: Any, name: str, quantizer: Any, tensor: Span | None) -> Iterator[Unary]:
    """Yields -1 or 0 for a number's sign bit, and makes of it -1 or 1, or 0 or 1."""
    assert tensor is not None
    check_quantizer(layer, quantizer)
    alpha = 1.0 if quantizer.alpha is None else quantizer.alpha
    if isinstance(alpha, str):
        refuse(layer, f"binary with alpha={alpha!r} depends on the other events; use alpha=1")
    if math.frexp(float(alpha))[0] != 0.5:
        refuse(layer, f"binary with alpha={alpha!r} is not exact; use a power of two")
    channels = np.ones(tensor.shape[-1])
    scale = channels * float(alpha) * (1 if quantizer.use_01 else 2)
    offset = channels * float(alpha)
    yield Quantise(name, FixedPoint(True, 0, 0, "TRN", "SAT"))
    yield Affine(f"{name}_value", scale, offset, grid_of(scale), grid_of(offset))


def exact_slope(layer: Any, slope: float) -> float:
    """Returns the slope of a leaky ReLU below zero, if firmware can multiply by it.

    Raises:
        InputError: it is no power of two up to 1.
    """
    if not 0 < slope <= 1 or math.frexp(slope)[0] != 0.5:
        refuse(layer, f"a negative slope of {slope:g} is not exact; use a power of two, as 0.25")
    return slope
