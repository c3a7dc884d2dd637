"""Readers of Keras layers in floating point, one for each class, and the steps that they give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.scalar_functions import FUNCTIONS, Function, clipped_relu, elu
from l1distill.firmware.network.layers import Affine, Layer, Reshape, UnaryLayer, value_range_after
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.convolutions import (
    check_convolution,
    convolution_layers,
    dense_layers,
    depthwise_kernel,
)
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.merges import MERGE_LAYERS
from l1distill.firmware.readers.normalization import normalization_constants
from l1distill.firmware.readers.refusal import refuse, refuse_class
from l1distill.firmware.readers.shape_layers import SHAPE_LAYERS, read_shape_layer
from l1distill.firmware.readers.untyped import FLOAT


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A piecewise linear function whose results are rounded."""

    name: str
    slope: float
    """Below zero: 0 for a ReLU, 1 for none; at most 1."""


@dataclass(frozen=True, kw_only=True)
class FunctionStep:
    """A function of numbers that are rounded already, whose results have a type of their own."""

    name: str
    function: Function


@dataclass(frozen=True, kw_only=True)
class ArgmaxStep:
    """A bit for each number: whether it is the largest."""

    name: str
    layer: Any
    """The softmax of the model."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SlopeStep:
    """A slope of its own for negative numbers of each element: a PReLU."""

    name: str
    slopes: NDArray[np.float64]
    """That broadcast to the shape of the input."""


NumericStep = Activation | FunctionStep | SlopeStep | ArgmaxStep
"""Steps that depend on the types of the numbers before them; they leave the shape as it is."""
UnaryStep = UnaryLayer | NumericStep
Step = Layer | NumericStep


def read_float_layer(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    """Yield what a Keras layer computes in floating point.

    Args:
        layer: the layer.
        tensor: the value range of its input, whose shape alone has a meaning.

    Raises:
        DataError: it is not supported.
    """
    reader = LAYER_READERS.get(type(layer).__name__)
    if reader is None:
        refuse_class(layer, (*LAYER_READERS, *MERGE_LAYERS))
    yield from reader(layer, tensor)


def _constants(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return kernel and bias; zeros where the layer has no bias."""
    kernel, *bias = _finite_weights(layer)
    outputs = kernel.shape[-1]
    if type(layer).__name__.startswith("Depthwise"):
        outputs *= kernel.shape[-2]
    return kernel, bias[0] if bias else np.zeros(outputs)


def _finite_weights(layer: Any) -> list[NDArray[np.float64]]:
    weights = [np.asarray(value, dtype=np.float64) for value in layer.get_weights()]
    if not all(np.isfinite(value).all() for value in weights):
        refuse(layer, "its weights are not finite; train it anew")
    return weights


def _read_dense(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    layers = list(dense_layers(layer, tensor.shape, *_constants(layer), FLOAT, FLOAT))
    yield from _with_activation(layer, layers)


def _read_convolution(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    check_convolution(layer)
    layers = list(convolution_layers(layer, tensor.shape, *_constants(layer), FLOAT, FLOAT))
    yield from _with_activation(layer, layers)


def _read_depthwise(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    check_convolution(layer)
    kernel, bias = _constants(layer)
    kernel = depthwise_kernel(kernel)
    layers = list(convolution_layers(layer, tensor.shape, kernel, bias, FLOAT, FLOAT))
    yield from _with_activation(layer, layers)


def _read_separable(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    check_convolution(layer)
    depthwise, pointwise, *bias = _finite_weights(layer)
    kernel = depthwise_kernel(depthwise)
    name, zeros = f"{layer.name}_depthwise", np.zeros(kernel.shape[-1])
    inner = list(convolution_layers(layer, tensor.shape, kernel, zeros, FLOAT, FLOAT, name))
    yield from inner
    pointwise = pointwise.reshape(pointwise.shape[-2:])
    offsets = bias[0] if bias else np.zeros(pointwise.shape[-1])
    shape = value_range_after(inner, tensor).shape
    layers = list(dense_layers(layer, shape, pointwise, offsets, FLOAT, FLOAT))
    yield from _with_activation(layer, layers)


def _with_activation(layer: Any, layers: list[UnaryLayer]) -> Iterator[UnaryStep]:
    """Yield the sums of a layer and its activation, with nothing between the two.

    The way back from an image to a sequence comes behind both.
    """
    split = -1 if isinstance(layers[-1], Reshape) else len(layers)
    yield from layers[:split]
    yield from _function_steps(layer, f"{layer.name}_activation")
    yield from layers[split:]


def _read_batch_normalization(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    if list(layer.axis) != [len(tensor.shape)]:
        refuse(layer, f"has axis={list(layer.axis)}; use the last")
    mean = np.asarray(layer.moving_mean, dtype=np.float64)
    variance = np.asarray(layer.moving_variance, dtype=np.float64)
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    offset = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        refuse(layer, "its scale or offset is not finite; train it anew")
    yield Affine(layer.name, scale=scale, offset=offset, scale_type=FLOAT, offset_type=FLOAT)


def _read_rescaling(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    yield _affine(layer, np.asarray(layer.scale), np.asarray(layer.offset), tensor)


def _read_normalization(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    yield _affine(layer, *normalization_constants(layer, tensor.shape), tensor)


def _affine(layer: Any, scale: Any, offset: Any, tensor: ValueRange) -> Affine:
    shape = np.broadcast_shapes(np.shape(scale), np.shape(offset), tensor.shape[-1:])
    scale, offset = (
        np.broadcast_to(np.asarray(value, np.float64), shape) + 0.0 for value in (scale, offset)
    )
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        refuse(layer, "its scale or offset is not finite")
    return Affine(layer.name, scale=scale, offset=offset, scale_type=FLOAT, offset_type=FLOAT)


def _read_relu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    slope, threshold = float(layer.negative_slope), float(layer.threshold)
    most = None if layer.max_value is None else float(layer.max_value)
    if most is None and threshold == 0:
        yield from _leaky_relu(layer.name, slope)
    else:
        yield from _approximated(layer.name, clipped_relu(slope, threshold, most))


def _read_leaky_relu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield from _leaky_relu(layer.name, float(layer.alpha))


def _leaky_relu(name: str, slope: float) -> Iterator[UnaryStep]:
    if 0 <= slope <= 1:
        yield Activation(name=name, slope=slope)
    else:
        yield from _slopes(name, np.full(1, slope))


def _read_prelu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    (slopes,) = _finite_weights(layer)
    yield from _slopes(layer.name, slopes)


def _slopes(name: str, slopes: NDArray[np.float64]) -> Iterator[UnaryStep]:
    yield Activation(name=f"{name}_quantizer", slope=1.0)
    yield SlopeStep(name=f"{name}_slopes", slopes=slopes)
    yield Activation(name=name, slope=1.0)


def _read_elu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield from _approximated(layer.name, elu(float(layer.alpha)))


def _approximated(name: str, function: Function) -> Iterator[UnaryStep]:
    yield Activation(name=f"{name}_quantizer", slope=1.0)
    yield FunctionStep(name=name, function=function)


def _read_activation(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield from _function_steps(layer, layer.name)


def _read_softmax(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield ArgmaxStep(name=layer.name, layer=layer)


def _read_shape(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    for step in read_shape_layer(layer, tensor, inexact_type=FLOAT):
        assert not isinstance(step, Division)  # shares in floating point stand for it
        yield step


def _function_steps(layer: Any, name: str) -> Iterator[UnaryStep]:
    """Yield the function that a layer has as its ``activation``."""
    function = getattr(layer.activation, "__name__", str(layer.activation))
    if function == "softmax":
        yield ArgmaxStep(name=name, layer=layer)
    elif function in FUNCTIONS:
        yield from _approximated(name, FUNCTIONS[function])
    elif function in ("relu", "leaky_relu"):
        yield Activation(name=name, slope=0.0 if function == "relu" else 0.2)
    elif function != "linear":
        known = ", ".join(FUNCTIONS)
        refuse(layer, f"activation {function} is not supported; use relu, {known} or LeakyReLU")


LAYER_READERS: dict[str, Callable[[Any, ValueRange], Iterator[UnaryStep]]] = {
    "Dense": _read_dense,
    "Conv1D": _read_convolution,
    "Conv2D": _read_convolution,
    "DepthwiseConv1D": _read_depthwise,
    "DepthwiseConv2D": _read_depthwise,
    "SeparableConv1D": _read_separable,
    "SeparableConv2D": _read_separable,
    "BatchNormalization": _read_batch_normalization,
    "Rescaling": _read_rescaling,
    "Normalization": _read_normalization,
    "ReLU": _read_relu,
    "LeakyReLU": _read_leaky_relu,
    "PReLU": _read_prelu,
    "ELU": _read_elu,
    "Activation": _read_activation,
    "Softmax": _read_softmax,
    **dict.fromkeys(SHAPE_LAYERS, _read_shape),
}
"""By the name of a layer's class."""
