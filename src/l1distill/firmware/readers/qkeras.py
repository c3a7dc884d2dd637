"""Reads a QKeras model layer by layer, and refuses what the firmware could not reproduce."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.activations import Curves
from l1distill.firmware.functions.argmax import check_softmax, is_softmax
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Affine,
    BinaryLayer,
    Concatenate,
    Conv2D,
    Dense,
    Quantize,
    Reshape,
    UnaryLayer,
    ZeroPad2D,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import (
    JOINTS,
    one_by_one,
    read_graph,
    read_joint,
    refuse,
)
from l1distill.firmware.readers.qkeras_activations import (
    activation_type,
    exact_slope,
    quantizer_layers,
    real_function,
)
from l1distill.firmware.readers.qkeras_weights import read_weights
from l1distill.firmware.readers.shape_layers import (
    SHAPE_LAYERS,
    as_image,
    as_sequence,
    read_shape_layer,
)


def from_qkeras(model: Any, curves: Curves | None = None) -> Network:
    """Reads a QKeras model into a :class:`Network`.

    Args:
        model: a Keras 2 model: an input quantizer, then quantized layers, which may branch and
            meet again. In front of the quantizer may stand a ``Rescaling`` by powers of two.
            Several outputs come out side by side.
        curves: makes sigmoids and tanhs that are not QKeras' own hard ones, and keeps how far off
            they are; such functions are refused if None.

    Returns:
        The network, its weights quantized and exactly on their grids.

    Raises:
        DataError: a layer is not supported; the line names it, its class and the reason.
    """
    found = read_graph(model)
    check_softmax(found, curves.softmax if curves else None)
    inputs = math.prod(found.shape)
    first = list(found.segments[0].layers)
    exponents: tuple[int, ...] = ()
    if first and type(first[0]).__name__ == "Rescaling":
        exponents = _read_rescaling(first.pop(0), found.shape)
    reader = _Reader(Builder(inputs, _input_type(first, model), exponents), curves)
    if len(found.shape) > 1:
        reader.add(Reshape("events", shape=found.shape))
    ends = [reader.read([reader.at], first)]
    for segment in found.segments[1:]:
        ends.append(reader.read([ends[source] for source in segment.sources], segment.layers))
    reader.join_ends([ends[end] for end in found.ends])
    return reader.builder.network()


def _input_type(first: list[Any], model: Any) -> FixedPoint:
    """Takes the input quantizer from the front of ``first``."""
    layer = first.pop(0) if first else model.layers[0]
    if type(layer).__name__ != "QActivation":
        refuse(
            layer,
            "the inputs have no fixed-point type: begin with a QActivation(quantized_bits(...))",
        )
    return activation_type(layer, layer.quantizer)


class _Leaky(NamedTuple):
    """A LeakyReLU that waits for the quantizer behind it."""

    layer: Any
    slope: float


class _Reader:
    """Keeps what the next layer must know of those before it."""

    def __init__(self, builder: Builder, curves: Curves | None) -> None:
        self.builder = builder
        self._curves = curves
        self.at = 0
        """The tensor that comes next."""
        self._leaky: _Leaky | None = None

    def read(self, sources: Sequence[int], layers: Iterable[Any]) -> int:
        """Appends what layers compute one behind the other; returns the tensor at the end."""
        waiting = list(layers)
        if len(sources) > 1:
            shapes = [self.builder.value_ranges[source].shape for source in sources]
            self._join(read_joint(waiting.pop(0), shapes), sources)
        else:
            self.at = sources[0]
        for layer in waiting:
            for step in self._steps(layer):
                self.add(step)
        if self._leaky is not None:
            self._refuse_leaky(self._leaky)
        return self.at

    def join_ends(self, ends: Sequence[int]) -> None:
        """Puts several ends side by side."""
        if len(ends) == 1:
            return
        flat = []
        for number, end in enumerate(ends):
            self.at = end
            if len(self._tensor.shape) > 1:
                self.add(Reshape(f"flat_end_{number}", shape=(self._tensor.low.size,)))
            flat.append(self.at)
        self._join(Concatenate("ends", axis=0), flat)

    @property
    def _tensor(self) -> ValueRange:
        return self.builder.value_ranges[self.at]

    def _steps(self, layer: Any) -> Iterator[UnaryLayer]:
        name = type(layer).__name__
        if name == "Activation" and layer.get_config()["activation"] == "linear":
            return
        if name == "LeakyReLU":
            self._leaky = _Leaky(layer, exact_slope(layer, float(layer.alpha)))
            return
        if is_softmax(layer) and name in ("Softmax", "Activation") and self._curves is not None:
            yield from self._curves.one_hot(layer, layer.name, self._tensor)
            return
        real = real_function(layer)
        if real is not None and self._curves is not None:
            yield from self._curves.layers(layer.name, real.function, self._tensor, real.kind)
            return
        reader = READERS.get(name)
        if reader is None:
            supported = ", ".join((*READERS, *JOINTS))
            reason = NOT_EXACT.get(name, f"is not supported; supported are {supported}")
            refuse(layer, reason)
        yield from reader(layer, self._tensor)

    def add(self, step: UnaryLayer) -> None:
        """Appends a step behind the tensor that comes next."""
        if self._leaky is not None:
            leaky, self._leaky = self._leaky, None
            if not isinstance(step, Quantize) or not step.type.signed:
                self._refuse_leaky(leaky)
            step = replace(step, negative_slope=leaky.slope)
        self.at = self.builder.add(step, self.at)

    def _join(self, joint: BinaryLayer, sources: Sequence[int]) -> None:
        self.at = sources[0]
        for step, source in one_by_one(joint, sources):
            self.at = self.builder.add(step, self.at, source)

    def _refuse_leaky(self, leaky: _Leaky) -> NoReturn:
        refuse(
            leaky.layer,
            "its results have no fixed-point type: put a QActivation(quantized_bits(...)) "
            "behind it",
        )


def _read_rescaling(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    scale = np.broadcast_to(np.asarray(layer.scale, dtype=np.float64), shape).ravel()
    if np.any(np.asarray(layer.offset) != 0):
        refuse(layer, "only powers of two without an offset are free in firmware")
    mantissas, exponents = np.frexp(scale)
    if np.any(mantissas != 0.5):
        refuse(layer, "its scale is not made of powers of two, which alone are free in firmware")
    return tuple(int(1 - exponent) for exponent in exponents)


def _read_shift(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    assert tensor is not None
    channels = tensor.shape[-1:]
    scale = np.ldexp(1.0, -np.asarray(_read_rescaling(layer, channels)))
    zeros = np.zeros_like(scale)
    yield Affine(
        layer.name, scale=scale, offset=zeros, scale_type=grid_of(scale), offset_type=grid_of(zeros)
    )


def _read_activation(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    yield from quantizer_layers(layer, layer.name, layer.quantizer, tensor)


def _read_linear(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    assert tensor is not None
    kernel, bias = layer.kernel, layer.bias if layer.use_bias else None
    if type(layer).__name__ == "QConv2DBatchnorm":
        kernel, bias = layer.get_folded_weights()
    weights = read_weights(layer, "kernel", layer.kernel_quantizer_internal, kernel)
    values, kind = weights.values, weights.kind
    offsets, offset_type = np.zeros(values.shape[-1]), kind
    if bias is not None:
        found = read_weights(layer, "bias", layer.bias_quantizer_internal, bias)
        offsets, offset_type = found.values, found.kind
    if not values.any():
        refuse(layer, "all its weights are zero, so the output is a constant; train it anew")
    steps = list(_linear(layer, tensor, values, kind, weights.scale, offsets, offset_type))
    for step in steps:
        tensor = step.value_range(tensor)
    yield from steps
    if layer.activation is not None and getattr(layer.activation, "__name__", "") != "linear":
        yield from quantizer_layers(layer, f"{layer.name}_activation", layer.activation, tensor)


def _linear(
    layer: Any,
    tensor: ValueRange,
    kernel: NDArray[np.float64],
    kernel_type: FixedPoint,
    scale: NDArray[np.float64] | None,
    bias: NDArray[np.float64],
    bias_type: FixedPoint,
) -> Iterator[UnaryLayer]:
    """Yields the sums, and behind them a scale that is on no grid."""
    inner, inner_type = bias, bias_type
    if scale is not None:
        inner, inner_type = np.zeros_like(bias), kernel_type
    types = {"kernel_type": kernel_type, "bias_type": inner_type}
    if kernel.ndim == 2:
        if len(tensor.shape) != 1:
            refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
        yield Dense(layer.name, kernel=kernel, bias=inner, **types)
    elif kernel.ndim == 3:
        yield from sequence_convolution(layer, tensor.shape, kernel, inner, kernel_type, inner_type)
    else:
        yield Conv2D(
            layer.name,
            kernel=kernel,
            bias=inner,
            **types,
            padding=layer.padding,
            strides=tuple(layer.strides),
        )
    if scale is not None:
        yield Affine(
            f"{layer.name}_scale",
            scale=scale,
            offset=bias,
            scale_type=grid_of(scale),
            offset_type=bias_type,
        )


def sequence_convolution(
    layer: Any,
    shape: tuple[int, ...],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
    kernel_type: FixedPoint,
    bias_type: FixedPoint,
) -> Iterator[UnaryLayer]:
    """Yields a convolution along a sequence, as one over an image a column wide.

    Args:
        layer: a Conv1D or QConv1D.
        shape: of its input, (steps, channels).
        kernel: (width, n_in, n_out).
        bias: (n_out,).
        kernel_type: of the kernel.
        bias_type: of the bias.
    """
    width, _, n_out = kernel.shape
    steps, padding = shape[0], layer.padding
    yield as_image(layer, shape)
    if padding == "causal":
        yield ZeroPad2D(f"{layer.name}_causal", margins=((width - 1, 0), (0, 0)))
        steps, padding = steps + width - 1, "valid"
    (stride,) = layer.strides
    yield Conv2D(
        layer.name,
        kernel=kernel[:, None],
        bias=bias,
        kernel_type=kernel_type,
        bias_type=bias_type,
        padding=padding,
        strides=(stride, 1),
    )
    windows = (steps if padding == "same" else steps - width + 1) - 1
    yield as_sequence(layer, windows // stride + 1, n_out)


def _read_convolution(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    if getattr(layer, "_mask", None) is not None:
        refuse(layer, "a mask is not supported")
    check_convolution(layer)
    yield from _read_linear(layer, tensor)


def check_convolution(layer: Any) -> None:
    """Refuses what :class:`Conv2D` does not compute."""
    ones = (1,) * len(layer.kernel_size)
    for option, required in (
        ("dilation_rate", ones),
        ("groups", 1),
        ("data_format", "channels_last"),
    ):
        if getattr(layer, option) != required:
            refuse(layer, f"has {option}={getattr(layer, option)!r}; use {required!r}")


def _read_normalization(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    import tensorflow as tf

    assert tensor is not None
    if type(layer).__name__ in ("QBatchNormalization", "BatchNormalization"):
        if list(layer.axis) != [len(tensor.shape)]:
            refuse(layer, f"has axis={list(layer.axis)}; use the last")

        def quantized(what: str, variable: Any, otherwise: float) -> Any:
            if variable is None:
                return tf.constant(otherwise)
            quantizer = getattr(layer, f"{what}_quantizer_internal", None)
            return variable if quantizer is None else quantizer(variable)

        # in float32 and in the order of tf.nn.batch_normalization, which the layer calls
        scale = tf.math.rsqrt(quantized("variance", layer.moving_variance, 1.0) + layer.epsilon)
        scale = scale * quantized("gamma", layer.gamma if layer.scale else None, 1.0)
        beta = quantized("beta", layer.beta if layer.center else None, 0.0)
        offset = beta - quantized("mean", layer.moving_mean, 0.0) * scale
    else:
        scale, offset = layer.constants(layer.moving_mean, layer.moving_variance)
    values = [np.asarray(value, dtype=np.float64) for value in (scale, offset)]
    if not all(np.isfinite(value).all() for value in values):
        refuse(layer, "its scale or offset is not finite; train it anew")
    channels = tensor.shape[-1:]
    scale, offset = (np.broadcast_to(value, channels) + 0.0 for value in values)
    # far below what a float32 can tell of the products, which is how QKeras computes them
    scale = FixedPoint(signed=True, integer=64, fraction=_SCALE_FRACTION).quantize(scale)
    scale_type = grid_of(scale)
    # beyond the last bit of the products an offset has nothing to add to
    finest = FixedPoint(
        signed=True,
        integer=64,
        fraction=max(tensor.fraction + scale_type.fraction, _OFFSET_FRACTION),
    )
    offset = finest.quantize(offset) if np.abs(offset).max() < 2.0**52 * finest.step else offset
    offset_type = grid_of(offset)
    yield Affine(
        layer.name, scale=scale, offset=offset, scale_type=scale_type, offset_type=offset_type
    )


def _read_mean(layer: Any, tensor: ValueRange | None) -> Iterator[UnaryLayer]:
    steps = list(read_shape_layer(layer, tensor))
    for step in steps:
        assert tensor is not None
        tensor = step.value_range(tensor)
    yield from steps
    if layer.activation is not None:
        yield from quantizer_layers(layer, f"{layer.name}_activation", layer.activation, tensor)


_SCALE_FRACTION = 32
"""A scale has at most so many bits behind the point."""
_OFFSET_FRACTION = 24
"""An offset keeps at least so many bits behind the point."""
READERS: dict[str, Callable[[Any, ValueRange | None], Iterator[UnaryLayer]]] = {
    "QDense": _read_linear,
    "QConv2D": _read_convolution,
    "QActivation": _read_activation,
    "QConv1D": _read_convolution,
    "QConv2DBatchnorm": _read_convolution,
    "QAveragePooling2D": _read_mean,
    "QGlobalAveragePooling2D": _read_mean,
    "QBatchNormalization": _read_normalization,
    "BatchNormalization": _read_normalization,
    "QuantizedBatchNormalization": _read_normalization,
    "Rescaling": _read_shift,
    **dict.fromkeys(SHAPE_LAYERS, read_shape_layer),
}
NOT_EXACT = {
    "Activation": "its results have no fixed-point type; use QActivation(quantized_sigmoid(...)), "
    "quantized_tanh or quantized_relu",
    "Dense": "its weights have no fixed-point type; use QDense",
    "Conv1D": "its weights have no fixed-point type; use QConv1D",
    "Conv2D": "its weights have no fixed-point type; use QConv2D",
    "ReLU": "its results have no fixed-point type; use QActivation(quantized_relu(...))",
}
"""Classes that a user may well try, and what to do instead."""
