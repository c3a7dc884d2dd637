"""Readers of Keras layers in floating point, one for each class, and the steps that they give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.activations import FUNCTIONS
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Affine, Dense, Layer, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.convolutions import check_convolution, convolution_layers
from l1distill.firmware.readers.keras_graph import MERGE_LAYERS, refuse
from l1distill.firmware.readers.qkeras_activations import exact_slope
from l1distill.firmware.readers.shape_layers import SHAPE_LAYERS, read_shape_layer

FLOAT = FixedPoint(signed=True, integer=0, fraction=0)
"""Stands for the type of constants that are still in floating point; compared with ``is``."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A piecewise linear function whose results are rounded."""

    name: str
    slope: float
    """Below zero: 0 for a ReLU, 1 for none."""


@dataclass(frozen=True, kw_only=True)
class FunctionStep:
    """A function of numbers that are rounded already, whose results have a type of their own."""

    name: str
    function: str
    """One of :data:`l1distill.firmware.functions.activations.FUNCTIONS`."""


@dataclass(frozen=True, kw_only=True)
class ArgmaxStep:
    """A bit for each number: whether it is the largest."""

    name: str
    layer: Any
    """The softmax of the model."""


UnaryStep = UnaryLayer | Activation | FunctionStep | ArgmaxStep
Step = Layer | Activation | FunctionStep | ArgmaxStep


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
        supported = ", ".join((*LAYER_READERS, *MERGE_LAYERS))
        refuse(layer, f"is not supported; supported are {supported}")
    yield from reader(layer, tensor)


def _constants(layer: Any) -> dict[str, NDArray[np.float64]]:
    """Return kernel and bias; zeros where the layer has no bias."""
    kernel, *bias = (np.asarray(value, dtype=np.float64) for value in layer.get_weights())
    constants = {"kernel": kernel, "bias": bias[0] if bias else np.zeros(kernel.shape[-1])}
    if not all(np.isfinite(value).all() for value in constants.values()):
        refuse(layer, "its weights are not finite; train it anew")
    return constants


def _read_dense(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    constants = _constants(layer)
    if len(tensor.shape) != 1:
        refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
    yield Dense(layer.name, **constants, kernel_type=FLOAT, bias_type=FLOAT)
    yield from _function_steps(layer, f"{layer.name}_activation")


def _read_convolution(layer: Any, tensor: ValueRange) -> Iterator[UnaryStep]:
    constants = _constants(layer)
    check_convolution(layer)
    layers = list(
        convolution_layers(layer, tensor.shape, **constants, kernel_type=FLOAT, bias_type=FLOAT)
    )
    # the activation comes before the way back from an image to a sequence, so that nothing stands
    # between it and the sums
    split = len(layers) if len(tensor.shape) == 3 else -1
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


def _read_relu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    if layer.max_value is not None or layer.threshold != 0:
        refuse(layer, "has a max_value or a threshold; leave them out")
    slope = float(layer.negative_slope)
    yield Activation(name=layer.name, slope=exact_slope(layer, slope) if slope else 0.0)


def _read_leaky_relu(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield Activation(name=layer.name, slope=exact_slope(layer, float(layer.alpha)))


def _read_activation(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield from _function_steps(layer, layer.name)


def _read_softmax(layer: Any, _: ValueRange) -> Iterator[UnaryStep]:
    yield ArgmaxStep(name=layer.name, layer=layer)


def _function_steps(layer: Any, name: str) -> Iterator[UnaryStep]:
    """Yield the function that a layer has as its ``activation``."""
    function = getattr(layer.activation, "__name__", str(layer.activation))
    if function == "softmax":
        yield ArgmaxStep(name=name, layer=layer)
    elif function in FUNCTIONS:
        yield Activation(name=f"{name}_quantizer", slope=1.0)
        yield FunctionStep(name=name, function=function)
    elif function == "relu":
        yield Activation(name=name, slope=0.0)
    elif function != "linear":
        known = ", ".join(FUNCTIONS)
        refuse(layer, f"activation {function} is not supported; use relu, {known} or LeakyReLU")


LAYER_READERS: dict[str, Callable[[Any, ValueRange], Iterator[UnaryStep]]] = {
    "Dense": _read_dense,
    "Conv1D": _read_convolution,
    "Conv2D": _read_convolution,
    "BatchNormalization": _read_batch_normalization,
    "ReLU": _read_relu,
    "LeakyReLU": _read_leaky_relu,
    "Activation": _read_activation,
    "Softmax": _read_softmax,
    **dict.fromkeys(SHAPE_LAYERS, partial(read_shape_layer, inexact_type=FLOAT)),
}
"""By the name of a layer's class."""
