"""Readers of QKeras layers, one for each class, which refuse what firmware cannot reproduce.

Each takes a Keras layer and the value range of its input and yields the layers that compute the
same; it raises DataError where there are none.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import Affine, UnaryLayer, value_range_after
from l1distill.firmware.network.network import EXACT_FLOAT64_BITS
from l1distill.firmware.network.value_range import Array, ValueRange
from l1distill.firmware.readers.convolutions import (
    check_convolution,
    convolution_layers,
    dense_layers,
    depthwise_kernel,
)
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.normalization import normalization_constants
from l1distill.firmware.readers.qkeras_activations import quantizer_layers
from l1distill.firmware.readers.qkeras_weights import Weights, read_weights
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.shape_layers import SHAPE_LAYERS, read_shape_layer
from l1distill.firmware.readers.trees import read_trees

_SCALE_FRACTION = 32
"""A scale has at most so many bits behind the point."""
_FEWEST_SCALE_FRACTION = 8
"""And at least so many, where those would not leave the sums exact."""
_OFFSET_FRACTION = 24
"""An offset keeps at least so many bits behind the point."""


def rescaling_exponents(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the exponent of the power of two that a ``Rescaling`` divides each number by.

    Args:
        layer: the layer.
        shape: of its input, without events.

    Raises:
        DataError: it multiplies by something else, or has an offset.
    """
    scale = np.broadcast_to(np.asarray(layer.scale, dtype=np.float64), shape).ravel()
    if np.any(np.asarray(layer.offset) != 0):
        refuse(layer, "only powers of two without an offset are free in firmware")
    mantissas, exponents = np.frexp(scale)
    if np.any(mantissas != 0.5):
        refuse(layer, "its scale is not made of powers of two, which alone are free in firmware")
    return tuple(int(1 - exponent) for exponent in exponents)


def _read_rescaling(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    scale, offset = (
        np.broadcast_to(np.asarray(value, np.float32), tensor.shape[-1:])
        for value in (layer.scale, layer.offset)
    )
    if np.any(np.frexp(scale)[0] != 0.5) or np.any(offset != 0):
        yield _normalization(layer, tensor, scale, offset)
    else:
        yield Affine.exact(layer.name, scale.astype(np.float64))


def _read_keras_normalization(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    yield _normalization(layer, tensor, *normalization_constants(layer, tensor.shape))


def _read_activation(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    yield from quantizer_layers(layer, layer.name, layer.quantizer, tensor)


def _read_linear(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    kernel_variable, bias_variable = layer.kernel, layer.bias if layer.use_bias else None
    if type(layer).__name__ == "QConv2DBatchnorm":
        kernel_variable, bias_variable = layer.get_folded_weights()
    kernel = read_weights(layer, "kernel", _quantizer(layer, "kernel"), kernel_variable)
    bias = _bias(layer, kernel, bias_variable)
    yield from _linear_layers(layer, tensor.shape, kernel, bias)


def _linear_layers(
    layer: Any, shape: tuple[int, ...], kernel: Weights, bias: Weights
) -> Iterator[UnaryLayer]:
    """Yield the sums, and behind them a scale that is on no grid."""
    inner_bias: tuple[Array, FixedPoint] = (bias.values, bias.fixed_type)
    if kernel.scale is not None:  # the bias comes behind the scale
        inner_bias = (np.zeros_like(bias.values), kernel.fixed_type)
    values, bias_type = inner_bias
    sums = dense_layers if kernel.values.ndim == 2 else convolution_layers
    yield from sums(layer, shape, kernel.values, values, kernel.fixed_type, bias_type)
    if kernel.scale is not None:
        yield Affine(
            f"{layer.name}_scale",
            scale=kernel.scale,
            offset=bias.values,
            scale_type=grid_of(kernel.scale),
            offset_type=bias.fixed_type,
        )


def _read_convolution(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    if getattr(layer, "_mask", None) is not None:
        refuse(layer, "a mask is not supported")
    check_convolution(layer)
    yield from _read_linear(layer, tensor)


def _read_depthwise(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    check_convolution(layer)
    kernel_variable, bias_variable = layer.depthwise_kernel, layer.bias if layer.use_bias else None
    if type(layer).__name__ == "QDepthwiseConv2DBatchnorm":
        kernel_variable, bias_variable = layer.get_folded_weights()
    kernel = _depthwise_weights(layer, kernel_variable)
    bias = _bias(layer, kernel, bias_variable)
    yield from _linear_layers(layer, tensor.shape, kernel, bias)


def _read_separable(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    check_convolution(layer)
    depthwise = _depthwise_weights(layer, layer.depthwise_kernel)
    if depthwise.scale is not None:
        refuse(layer, "its depthwise_quantizer has a scale; use alpha=1 or auto_po2")
    layers = list(
        convolution_layers(
            layer,
            tensor.shape,
            depthwise.values,
            np.zeros(depthwise.values.shape[-1]),
            depthwise.fixed_type,
            depthwise.fixed_type,
            f"{layer.name}_depthwise",
        )
    )
    quantizer = _quantizer(layer, "pointwise")
    kernel = read_weights(layer, "pointwise", quantizer, layer.pointwise_kernel)
    kernel = replace(kernel, values=kernel.values.reshape(kernel.values.shape[-2:]))
    bias = _bias(layer, kernel, layer.bias if layer.use_bias else None)
    inner = value_range_after(layers, tensor)
    yield from layers
    yield from _linear_layers(layer, inner.shape, kernel, bias)


def _depthwise_weights(layer: Any, variable: Any) -> Weights:
    """Return the depthwise weights of a layer as those of a convolution over all channels."""
    kernel = read_weights(layer, "depthwise", _quantizer(layer, "depthwise"), variable)
    scale = kernel.scale
    if scale is not None:
        scale = np.tile(scale, kernel.values.shape[-2])
    return replace(kernel, values=depthwise_kernel(kernel.values), scale=scale)


def _quantizer(layer: Any, role: str) -> Any:
    """Return the quantizer of a layer's weights; None where it has none, as layers of Keras."""
    return getattr(layer, f"{role}_quantizer_internal", None)


def _bias(layer: Any, kernel: Weights, variable: Any) -> Weights:
    """Return the bias of a layer; zeros where it has none."""
    if variable is None:
        return Weights(values=np.zeros(kernel.values.shape[-1]), fixed_type=kernel.fixed_type)
    return read_weights(layer, "bias", _quantizer(layer, "bias"), variable)


def _read_batch_normalization(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    if list(layer.axis) != [len(tensor.shape)]:
        refuse(layer, f"has axis={list(layer.axis)}; use the last")
    yield _normalization(layer, tensor, *_qkeras_constants(layer))


def _read_quantized_batch_normalization(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    constants = layer.constants(layer.moving_mean, layer.moving_variance)
    yield _normalization(layer, tensor, *constants)


def _qkeras_constants(layer: Any) -> tuple[Any, Any]:
    """Return scale and offset in float32 and in the order of ``tf.nn.batch_normalization``.

    That is what the layer calls.
    """
    import tensorflow as tf

    def quantized(name: str, variable: Any, default: float) -> Any:
        if variable is None:
            return tf.constant(default)
        quantizer = getattr(layer, f"{name}_quantizer_internal", None)
        return variable if quantizer is None else quantizer(variable)

    scale = tf.math.rsqrt(quantized("variance", layer.moving_variance, 1.0) + layer.epsilon)
    scale = scale * quantized("gamma", layer.gamma if layer.scale else None, 1.0)
    beta = quantized("beta", layer.beta if layer.center else None, 0.0)
    return scale, beta - quantized("mean", layer.moving_mean, 0.0) * scale


def _normalization(layer: Any, tensor: ValueRange, scale: Any, offset: Any) -> Affine:
    scale, offset = (np.asarray(value, dtype=np.float64) for value in (scale, offset))
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        refuse(layer, "its scale or offset is not finite; train it anew")
    scale, offset = (np.broadcast_to(value, tensor.shape[-1:]) + 0.0 for value in (scale, offset))
    # far below what a float32 can tell of the products, which is how QKeras computes them
    largest = float((tensor.magnitude * np.abs(scale)).max() + np.abs(offset).max())
    room = EXACT_FLOAT64_BITS - 1 - math.frexp(largest)[1] - tensor.fraction
    digits = max(min(_SCALE_FRACTION, room), _FEWEST_SCALE_FRACTION)
    scale = FixedPoint(signed=True, integer=64, fraction=digits).quantize(scale)
    # beyond the last bit of the products an offset has nothing to add to
    fraction = max(tensor.fraction + grid_of(scale).fraction, _OFFSET_FRACTION)
    finest = FixedPoint(signed=True, integer=64, fraction=fraction)
    if np.abs(offset).max() < 2.0**52 * finest.step:
        offset = finest.quantize(offset)
    return Affine.exact(layer.name, scale, offset)


LAYER_READERS: dict[str, Callable[[Any, ValueRange], Iterator[UnaryLayer | Division]]] = {
    "QDense": _read_linear,
    "Dense": _read_linear,
    "Conv1D": _read_convolution,
    "Conv2D": _read_convolution,
    "DepthwiseConv2D": _read_depthwise,
    "SeparableConv1D": _read_separable,
    "SeparableConv2D": _read_separable,
    "QConv2D": _read_convolution,
    "QActivation": _read_activation,
    "QConv1D": _read_convolution,
    "QConv2DBatchnorm": _read_convolution,
    "QDepthwiseConv2D": _read_depthwise,
    "QDepthwiseConv2DBatchnorm": _read_depthwise,
    "QSeparableConv1D": _read_separable,
    "QSeparableConv2D": _read_separable,
    "QAveragePooling2D": read_shape_layer,
    "QGlobalAveragePooling2D": read_shape_layer,
    "QBatchNormalization": _read_batch_normalization,
    "BatchNormalization": _read_batch_normalization,
    "QuantizedBatchNormalization": _read_quantized_batch_normalization,
    "Rescaling": _read_rescaling,
    "Normalization": _read_keras_normalization,
    "TreeEnsemble": read_trees,
    **dict.fromkeys(SHAPE_LAYERS, read_shape_layer),
}
"""By the name of a layer's class."""
UNTYPED = {
    "Activation": "its results have no fixed-point type; use QActivation(quantized_sigmoid(...)), "
    "quantized_tanh or quantized_relu",
    "Dense": "its weights have no fixed-point type; use QDense",
    "Conv1D": "its weights have no fixed-point type; use QConv1D",
    "Conv2D": "its weights have no fixed-point type; use QConv2D",
    "DepthwiseConv2D": "its weights have no fixed-point type; use QDepthwiseConv2D",
    "SeparableConv1D": "its weights have no fixed-point type; use QSeparableConv1D",
    "SeparableConv2D": "its weights have no fixed-point type; use QSeparableConv2D",
    "ReLU": "its results have no fixed-point type; use QActivation(quantized_relu(...))",
}
"""Classes whose numbers have no type of their own, and what to use for one."""
