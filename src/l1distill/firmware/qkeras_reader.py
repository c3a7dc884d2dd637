"""Reads a QKeras model layer by layer, and refuses what the firmware could not reproduce."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.fixed_point import FixedPoint, Overflow, grid_of
from l1distill.firmware.keras_chain import read_chain, refuse
from l1distill.firmware.layers import (
    Affine,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Quantise,
    Reshape,
    Span,
    UpSample2D,
    ZeroPad2D,
    span_of,
)
from l1distill.firmware.network import EXACT_FLOAT32_BITS, Network, chain

MAX_SCALE_BITS = 18
"""A batch normalisation's scale that needs more is a float32 on no grid, not a quantised number."""


def describe(model: Any) -> Network:
    """Reads a QKeras model into a :class:`Network`.

    Args:
        model: a Keras 2 model: an input quantiser, then quantised layers in a chain. In front of
            the quantiser may stand a ``Rescaling`` by powers of two, and at the end several QDense
            with their quantisers, as several outputs or concatenated.

    Returns:
        The network, its weights quantised and exactly on their grids.

    Raises:
        InputError: a layer is not supported; the line names it, its class and the reason.
    """
    found = read_chain(model)
    inputs = math.prod(found.shape)
    trunk = list(found.trunk)
    exponents: tuple[int, ...] = ()
    if trunk and type(trunk[0]).__name__ == "Rescaling":
        exponents = _read_rescaling(trunk.pop(0), found.shape)
    reader = _Reader(found.shape)
    input_type = reader.input_type(trunk, model)
    for layer in trunk:
        reader.read(layer)
    if found.heads:
        reader.read_heads(found.heads)
    return chain(inputs, input_type, reader.layers, exponents)


class _Leaky(NamedTuple):
    """A LeakyReLU that waits for the quantiser behind it."""

    layer: Any
    slope: float


class _Reader:
    """Keeps what the next layer must know of those before it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.layers: list[Layer] = []
        self._shape = shape
        self._tensor: Span | None = None
        self._leaky: _Leaky | None = None

    def input_type(self, trunk: list[Any], model: Any) -> FixedPoint:
        """Takes the input quantiser from the front of ``trunk``."""
        first = trunk.pop(0) if trunk else model.layers[0]
        if type(first).__name__ != "QActivation":
            refuse(
                first,
                "the inputs have no fixed-point type: begin with a "
                "QActivation(quantized_bits(...))",
            )
        kind = _activation_type(first, first.quantizer)
        self._tensor = span_of(kind, math.prod(self._shape))
        if len(self._shape) > 1:
            self._add(Reshape("events", self._shape))
        return kind

    def read(self, layer: Any) -> None:
        """Appends what ``layer`` computes."""
        for step in self._steps(layer):
            self._add(step)

    def read_heads(self, heads: Sequence[Sequence[Any]]) -> None:
        """Appends dense layers that work side by side as one that does their work."""
        assert self._tensor is not None
        start = self._tensor
        steps: list[list[Layer]] = []
        for head in heads:
            self._tensor, common, self.layers = start, self.layers, []
            for layer in head:
                self.read(layer)
            steps.append(self.layers)
            self.layers, self._tensor = common, start
        for layers in zip(*steps, strict=False):
            self._add(_side_by_side(heads, layers, {len(found) for found in steps}))

    def _steps(self, layer: Any) -> Iterator[Layer]:
        name = type(layer).__name__
        if name == "Activation" and layer.get_config()["activation"] == "linear":
            return
        if name == "LeakyReLU":
            self._leaky = _Leaky(layer, exact_slope(layer, float(layer.alpha)))
            return
        reader = READERS.get(name)
        if reader is None:
            reason = NOT_EXACT.get(name, f"is not supported; supported are {', '.join(READERS)}")
            refuse(layer, reason)
        yield from reader(layer, self._tensor)

    def _add(self, step: Layer) -> None:
        assert self._tensor is not None
        if self._leaky is not None:
            leaky, self._leaky = self._leaky, None
            if not isinstance(step, Quantise) or not step.type.signed:
                refuse(
                    leaky.layer,
                    "its results have no fixed-point type: put a QActivation(quantized_bits(...)) "
                    "behind it",
                )
            step = step._replace(negative_slope=leaky.slope)
        self.layers.append(step)
        self._tensor = step.span(self._tensor)


def _side_by_side(
    heads: Sequence[Sequence[Any]], layers: Sequence[Layer], lengths: set[int]
) -> Layer:
    first, last = layers[0], heads[-1][-1]
    if len(lengths) > 1 or not all(type(layer) is type(first) for layer in layers):
        refuse(last, "ends of a model must consist of the same kinds of layers")
    if isinstance(first, Dense):
        dense = [layer for layer in layers if isinstance(layer, Dense)]
        return Dense(
            "_".join(layer.name for layer in dense),
            np.concatenate([layer.kernel for layer in dense], axis=1),
            np.concatenate([layer.bias for layer in dense]),
            _common([layer.kernel_type for layer in dense]),
            _common([layer.bias_type for layer in dense]),
        )
    if isinstance(first, Quantise) and all(
        layer._replace(name=first.name) == first for layer in layers
    ):
        return first
    return refuse(last, "ends of a model must be QDense, with the same quantiser behind each")


def _common(kinds: Iterable[FixedPoint]) -> FixedPoint:
    """Returns the narrowest type that holds the numbers of all types."""
    found = tuple(kinds)
    return found[0]._replace(
        integer=max(kind.integer for kind in found), fraction=max(kind.fraction for kind in found)
    )


def _read_rescaling(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    scale = np.broadcast_to(np.asarray(layer.scale, dtype=np.float64), shape).ravel()
    if np.any(np.asarray(layer.offset) != 0):
        refuse(layer, "only powers of two without an offset are free in firmware")
    mantissas, exponents = np.frexp(scale)
    if np.any(mantissas != 0.5):
        refuse(layer, "its scale is not made of powers of two, which alone are free in firmware")
    return tuple(int(1 - exponent) for exponent in exponents)


def _read_shift(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    assert tensor is not None
    channels = tensor.shape[-1:]
    scale = np.ldexp(1.0, -np.asarray(_read_rescaling(layer, channels)))
    zeros = np.zeros_like(scale)
    yield Affine(layer.name, scale, zeros, grid_of(scale), grid_of(zeros))


def exact_slope(layer: Any, slope: float) -> float:
    """Returns the slope of a leaky ReLU below zero, if firmware can multiply by it.

    Raises:
        InputError: it is no power of two up to 1.
    """
    if not 0 < slope <= 1 or math.frexp(slope)[0] != 0.5:
        refuse(layer, f"a negative slope of {slope:g} is not exact; use a power of two, as 0.25")
    return slope


def _read_activation(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    yield from _quantiser(layer, layer.name, layer.quantizer, tensor)


def _quantiser(layer: Any, name: str, quantizer: Any, tensor: Span | None) -> Iterator[Layer]:
    slope = getattr(quantizer, "negative_slope", 0)
    if type(quantizer).__name__ != "quantized_relu" or slope == 0:
        yield Quantise(name, _activation_type(layer, quantizer))
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


def _read_linear(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    kernel_type = _weight_type(layer, "kernel", layer.kernel_quantizer_internal)
    kernel = _on_grid(layer, "kernel", kernel_type, layer.kernel_quantizer_internal, layer.kernel)
    bias_type, bias = kernel_type, np.zeros(kernel.shape[-1])
    if layer.use_bias:
        bias_type = _weight_type(layer, "bias", layer.bias_quantizer_internal)
        bias = _on_grid(layer, "bias", bias_type, layer.bias_quantizer_internal, layer.bias)
    if not kernel.any():
        refuse(layer, "all its weights are zero, so the output is a constant; train it anew")
    found: Layer
    if kernel.ndim == 2:
        assert tensor is not None
        if len(tensor.shape) != 1:
            refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
        found = Dense(layer.name, kernel, bias, kernel_type, bias_type)
    else:
        found = Conv2D(layer.name, kernel, bias, kernel_type, bias_type, layer.padding)
    yield found
    if layer.activation is not None and getattr(layer.activation, "__name__", "") != "linear":
        assert tensor is not None
        name = f"{layer.name}_activation"
        yield from _quantiser(layer, name, layer.activation, found.span(tensor))


def _read_convolution(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    if getattr(layer, "_mask", None) is not None:
        refuse(layer, "a mask is not supported")
    check_convolution(layer)
    yield from _read_linear(layer, tensor)


def check_convolution(layer: Any) -> None:
    """Refuses what :class:`Conv2D` does not compute."""
    for option, required in (
        ("strides", (1, 1)),
        ("dilation_rate", (1, 1)),
        ("groups", 1),
        ("data_format", "channels_last"),
    ):
        if getattr(layer, option) != required:
            refuse(layer, f"has {option}={getattr(layer, option)!r}; use {required!r}")


def _read_normalisation(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    import tensorflow as tf

    assert tensor is not None
    if type(layer).__name__ == "QBatchNormalization":
        if list(layer.axis) != [len(tensor.shape)]:
            refuse(layer, f"has axis={list(layer.axis)}; use the last")

        def quantised(what: str, variable: Any, otherwise: float) -> Any:
            if variable is None:
                return tf.constant(otherwise)
            quantizer = getattr(layer, f"{what}_quantizer_internal")
            return variable if quantizer is None else quantizer(variable)

        # in float32 and in the order of tf.nn.batch_normalization, which the layer calls
        scale = tf.math.rsqrt(quantised("variance", layer.moving_variance, 1.0) + layer.epsilon)
        scale = scale * quantised("gamma", layer.gamma if layer.scale else None, 1.0)
        beta = quantised("beta", layer.beta if layer.center else None, 0.0)
        offset = beta - quantised("mean", layer.moving_mean, 0.0) * scale
    else:
        scale, offset = layer.constants(layer.moving_mean, layer.moving_variance)
    values = [np.asarray(value, dtype=np.float64) for value in (scale, offset)]
    if not all(np.isfinite(value).all() for value in values):
        refuse(layer, "its scale or offset is not finite; train it anew")
    channels = tensor.shape[-1:]
    scale, offset = (np.broadcast_to(value, channels) + 0.0 for value in values)
    scale_type, offset_type = grid_of(scale), grid_of(offset)
    if scale_type.bits > MAX_SCALE_BITS:
        refuse(
            layer,
            f"its scale, gamma / sqrt(variance + epsilon), takes {scale_type.bits} bits: it is on "
            "no grid; use QuantisedBatchNormalization",
        )
    yield Affine(layer.name, scale, offset, scale_type, offset_type)


def read_shape_layer(layer: Any, tensor: Span | None) -> Iterator[Layer]:
    """Reads the layers without numbers of their own, which Keras and QKeras share.

    Args:
        layer: one of :data:`SHAPE_LAYERS`.
        tensor: what goes in.

    Returns:
        The layer, or nothing where the shape stays the same.

    Raises:
        InputError: an option of it is not supported.
    """
    assert tensor is not None
    name = type(layer).__name__
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        refuse(layer, "has data_format='channels_first'; use 'channels_last'")
    found: Layer
    if name in ("Flatten", "Reshape"):
        shape: tuple[int, ...] = (tensor.low.size,)
        if name == "Reshape":
            shape = np.empty(tensor.low.size).reshape(layer.target_shape).shape
        if shape == tensor.shape:
            return
        found = Reshape(layer.name, shape)
    elif name == "MaxPooling2D":
        size = tuple(layer.pool_size)
        if tuple(layer.strides) != size:
            refuse(layer, f"has strides={layer.strides} unlike pool_size={size}")
        if layer.padding != "valid":
            refuse(layer, f"has padding={layer.padding!r}; use 'valid'")
        found = MaxPool2D(layer.name, size)
    elif name == "UpSampling2D":
        if layer.interpolation != "nearest":
            refuse(layer, f"has interpolation={layer.interpolation!r}; use 'nearest'")
        found = UpSample2D(layer.name, tuple(layer.size))
    else:
        (top, bottom), (left, right) = layer.padding
        found = ZeroPad2D(layer.name, ((top, bottom), (left, right)))
    yield found


SHAPE_LAYERS = ("Flatten", "Reshape", "MaxPooling2D", "UpSampling2D", "ZeroPadding2D")
READERS: dict[str, Callable[[Any, Span | None], Iterator[Layer]]] = {
    "QDense": _read_linear,
    "QConv2D": _read_convolution,
    "QActivation": _read_activation,
    "QBatchNormalization": _read_normalisation,
    "QuantisedBatchNormalization": _read_normalisation,
    "Rescaling": _read_shift,
    **dict.fromkeys(SHAPE_LAYERS, read_shape_layer),
}
NOT_EXACT = {
    "AveragePooling2D": "dividing by the size of a window is not exact; use MaxPooling2D",
    "BatchNormalization": "its numbers have no fixed-point type; use QuantisedBatchNormalization",
    "ReLU": "its results have no fixed-point type; use QActivation(quantized_relu(...))",
}
"""Classes that a user may well try, and what to do instead."""


def _weight_type(layer: Any, what: str, quantizer: Any) -> FixedPoint:
    if type(quantizer).__name__ != "quantized_bits":
        refuse(layer, f"its {what} needs {what}_quantizer=quantized_bits(...)")
    if quantizer.alpha is None or isinstance(quantizer.alpha, str) or quantizer.alpha != 1:
        refuse(layer, f"its {what}_quantizer has alpha={quantizer.alpha!r}; use alpha=1")
    if not quantizer.keep_negative:  # hls4ml 1.3.0 reads the weights as signed and drops a bit
        refuse(layer, f"its {what}_quantizer has keep_negative=False; use signed weights")
    return _bits_type(layer, quantizer)


def _activation_type(layer: Any, quantizer: Any) -> FixedPoint:
    name = type(quantizer).__name__
    if name == "quantized_bits":
        if quantizer.alpha is not None and quantizer.alpha != 1:
            refuse(layer, f"quantized_bits has alpha={quantizer.alpha!r}; use alpha=1")
        return _bits_type(layer, quantizer)
    if name != "quantized_relu":
        shown = getattr(quantizer, "__name__", name)
        refuse(layer, f"{shown} is not supported; use quantized_relu or quantized_bits")
    _check_relu(layer, quantizer)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    return FixedPoint(False, integer, bits - integer)


def _check_relu(layer: Any, quantizer: Any) -> None:
    _check_quantizer(layer, quantizer)
    for option, required in (("use_sigmoid", 0), ("is_quantized_clip", 1)):
        if getattr(quantizer, option) != required:
            refuse(layer, f"quantized_relu with {option}={getattr(quantizer, option)!r}")


def _bits_type(layer: Any, quantizer: Any) -> FixedPoint:
    _check_quantizer(layer, quantizer)
    signed = bool(quantizer.keep_negative)
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if bits - signed < 1:
        refuse(layer, f"quantized_bits with {bits} bits is a sign; use at least {signed + 1}")
    overflow: Overflow = "SAT_SYM" if signed and quantizer.symmetric else "SAT"
    return FixedPoint(signed, integer, bits - signed - integer, "RND_CONV", overflow)


def _check_quantizer(layer: Any, quantizer: Any) -> None:
    if quantizer.use_stochastic_rounding:
        refuse(layer, "stochastic rounding cannot be reproduced; switch it off")
    if float(quantizer.qnoise_factor) != 1:
        refuse(layer, f"qnoise_factor is {float(quantizer.qnoise_factor):g}; finish at 1")


def _on_grid(
    layer: Any, what: str, kind: FixedPoint, quantizer: Any, variable: Any
) -> NDArray[np.float64]:
    values = np.asarray(quantizer(variable), dtype=np.float64)
    if not kind.holds(values):
        refuse(layer, f"its {what} is not on the grid of {kind.hls}: NaN, or another quantiser")
    return values + 0.0
