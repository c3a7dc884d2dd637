"""What a Keras model in floating point does: steps in parts, normalization folded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.activations import FUNCTIONS
from l1distill.firmware.functions.argmax import check_softmax
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Affine,
    Arithmetic,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.value_range import ValueRange, value_range_of
from l1distill.firmware.readers.keras_graph import (
    JOINTS,
    one_by_one,
    read_graph,
    read_joint,
    refuse,
)
from l1distill.firmware.readers.qkeras import check_convolution, sequence_convolution
from l1distill.firmware.readers.qkeras_activations import exact_slope
from l1distill.firmware.readers.shape_layers import SHAPE_LAYERS, read_shape_layer

FLOAT = FixedPoint(signed=True, integer=0, fraction=0)
"""Stands where a type will be, as long as numbers are in floating point."""


class Activation(NamedTuple):
    """A piecewise linear function with which a number gets a type."""

    name: str
    slope: float
    """Below zero: 0 for a ReLU, 1 for none."""


class Curve(NamedTuple):
    """A function of what has been rounded, whose results have a type of their own."""

    name: str
    function: str


class Class(NamedTuple):
    """A bit for each number: whether it is the largest."""

    name: str
    layer: Any


Unrounded = Curve | Class
Step = Layer | Activation | Unrounded


class Part(NamedTuple):
    """Steps one behind the other; what comes out between them goes nowhere else."""

    sources: tuple[int, ...]
    """Parts that it takes the results of; none for the first, which takes the events."""
    steps: list[Step]
    """Of several sources the first one of them makes one tensor."""


def shift(name: str, powers: NDArray[np.float64]) -> Affine:
    """Returns a layer that multiplies by powers of two, exactly."""
    zeros = np.zeros_like(powers)
    return Affine(
        name, scale=powers, offset=zeros, scale_type=grid_of(powers), offset_type=grid_of(zeros)
    )


def needs_rounding(step: Step) -> bool:
    """Tells numbers in floating point, and what comes out of them, from exact ones."""
    if isinstance(step, Dense | Conv2D):
        return step.kernel_type is FLOAT
    if isinstance(step, Affine):
        return step.scale_type is FLOAT
    return isinstance(step, Activation | Arithmetic)


def read_float_model(model: Any, softmax: str | None) -> tuple[tuple[int, ...], list[Part]]:
    """Reads what a model does, in floating point.

    Args:
        model: a Keras 2 model.
        softmax: what stands for a softmax at an end; None for nothing.

    Returns:
        The shape of an input, without events, and the parts, each behind its sources.

    Raises:
        DataError: a layer is not supported, or there is nothing to quantize.
    """
    found = read_graph(model)
    check_softmax(found, softmax)
    parts: list[Part] = []
    ends: list[ValueRange] = []
    for segment in found.segments:
        steps: list[Step] = []
        layers = list(segment.layers)
        tensor = ends[segment.sources[0]] if segment.sources else value_range_of(FLOAT, found.shape)
        if len(segment.sources) > 1:
            joint = read_joint(layers.pop(0), [ends[source].shape for source in segment.sources])
            for step, source in one_by_one(joint, segment.sources):
                tensor = step.value_range(tensor, ends[source])
            steps.append(joint)
        for layer in layers:
            for step_ in _read_layer(layer, tensor):
                steps.append(step_)
                if not isinstance(step_, Activation | Unrounded):
                    tensor = step_.value_range(tensor)
        parts.append(Part(segment.sources, steps))
        ends.append(tensor)
    if len(found.ends) > 1:
        flat = []
        for number, end in enumerate(found.ends):
            if len(ends[end].shape) > 1:
                size = ends[end].low.size
                parts.append(Part((end,), [Reshape(f"flat_end_{number}", shape=(size,))]))
                end = len(parts) - 1
            flat.append(end)
        parts.append(Part(tuple(flat), [Concatenate("ends", axis=0)]))
    parts = _with_one_head(parts)
    if not any(isinstance(step, Dense | Conv2D | Affine) for part in parts for step in part.steps):
        refuse(model.layers[-1], "there is nothing to quantize in this model")
    return found.shape, parts


def _with_one_head(parts: list[Part]) -> list[Part]:
    """Returns the parts with dense layers that end side by side as one that does their work.

    What comes out then has the sums' full width up to the last rounding.
    """
    *before, last = parts
    heads = [parts[source] for source in last.sources]
    dense = [step for head in heads for step in head.steps if isinstance(step, Dense)]
    if (
        len(last.steps) != 1
        or not isinstance(last.steps[0], Concatenate)
        or any(len(head.steps) != 1 for head in heads)
        or len(dense) != len(heads)
        or len({head.sources for head in heads}) > 1
    ):
        return parts
    one = Dense(
        "_".join(layer.name for layer in dense),
        kernel=np.concatenate([layer.kernel for layer in dense], axis=1),
        bias=np.concatenate([layer.bias for layer in dense]),
        kernel_type=FLOAT,
        bias_type=FLOAT,
    )
    # all else leads to the heads, so that nothing stands behind them
    return [*before[: min(last.sources)], Part(heads[0].sources, [one])]


def _read_layer(layer: Any, tensor: ValueRange) -> list[UnaryLayer | Activation | Unrounded]:
    name = type(layer).__name__
    if name in SHAPE_LAYERS:
        return list(read_shape_layer(layer, tensor, FLOAT))
    if name == "LeakyReLU":
        return [Activation(layer.name, exact_slope(layer, float(layer.alpha)))]
    if name == "ReLU":
        if layer.max_value is not None or layer.threshold != 0:
            refuse(layer, "has a max_value or a threshold; leave them out")
        slope = float(layer.negative_slope)
        return [Activation(layer.name, exact_slope(layer, slope) if slope else 0.0)]
    if name == "Softmax":
        return [Class(layer.name, layer)]
    if name == "Activation":
        return _function(layer, layer.name)
    if name == "BatchNormalization":
        return [_normalization(layer, len(tensor.shape))]
    if name not in ("Dense", "Conv1D", "Conv2D"):
        refuse(
            layer,
            "is not supported; supported are Dense, Conv1D, Conv2D, BatchNormalization, ReLU, "
            f"LeakyReLU, Activation, {', '.join((*JOINTS, *SHAPE_LAYERS))}",
        )
    kernel, *bias = (np.asarray(value, dtype=np.float64) for value in layer.get_weights())
    constants: dict[str, Any] = {
        "kernel": kernel,
        "bias": bias[0] if bias else np.zeros(kernel.shape[-1]),
    }
    if not all(np.isfinite(value).all() for value in constants.values()):
        refuse(layer, "its weights are not finite; train it anew")
    types: dict[str, Any] = {"kernel_type": FLOAT, "bias_type": FLOAT}
    if name == "Dense":
        if len(tensor.shape) != 1:
            refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
        return [
            Dense(layer.name, **constants, **types),
            *_function(layer, f"{layer.name}_activation"),
        ]
    check_convolution(layer)
    if name == "Conv1D":
        *before, back = sequence_convolution(layer, tensor.shape, **constants, **types)
        # the activation comes before the way back, so that nothing stands between it and the sums
        return [*before, *_function(layer, f"{layer.name}_activation"), back]
    found = Conv2D(
        layer.name, **constants, **types, padding=layer.padding, strides=tuple(layer.strides)
    )
    return [found, *_function(layer, f"{layer.name}_activation")]


def _function(layer: Any, name: str) -> list[UnaryLayer | Activation | Unrounded]:
    function = getattr(layer.activation, "__name__", str(layer.activation))
    if function == "linear":
        return []
    if function == "softmax":
        return [Class(name, layer)]
    if function in FUNCTIONS:
        return [Activation(f"{name}_quantizer", 1.0), Curve(name, function)]
    if function != "relu":
        known = ", ".join(FUNCTIONS)
        refuse(layer, f"activation {function} is not supported; use relu, {known} or LeakyReLU")
    return [Activation(name, 0.0)]


def _normalization(layer: Any, axis: int) -> Affine:
    if list(layer.axis) != [axis]:
        refuse(layer, f"has axis={list(layer.axis)}; use the last")
    mean = np.asarray(layer.moving_mean, dtype=np.float64)
    variance = np.asarray(layer.moving_variance, dtype=np.float64)
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    offset = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        refuse(layer, "its scale or offset is not finite; train it anew")
    return Affine(layer.name, scale=scale, offset=offset, scale_type=FLOAT, offset_type=FLOAT)


def fold(steps: Sequence[Step]) -> list[Step]:
    """Returns the steps with batch normalization folded into linear layers, as far as it can be."""
    folded: list[Step] = []
    waiting = list(steps)
    while waiting:
        step = waiting.pop(0)
        before = folded[-1] if folded else None
        after = waiting[0] if waiting else None
        if not isinstance(step, Affine) or not needs_rounding(step):
            folded.append(step)
        elif isinstance(before, Dense | Conv2D) and needs_rounding(before):
            folded[-1] = replace(
                before,
                kernel=before.kernel * step.scale,
                bias=before.bias * step.scale + step.offset,
            )
        else:
            magnitude = np.where(step.scale == 0, 1.0, np.abs(step.scale))
            powers = np.ldexp(1.0, np.round(np.log2(magnitude)).astype(int))
            rest = replace(step, name=f"{step.name}_rest", scale=step.scale / powers)
            if isinstance(before, Affine) and before.scale.shape == powers.shape:
                folded[-1] = shift(before.name, before.scale * powers)  # one shift after another
            else:
                folded.append(shift(step.name, powers))
            padded = isinstance(after, Conv2D) and after.padding != "valid"
            if isinstance(after, Dense | Conv2D) and needs_rounding(after) and not padded:
                waiting[0] = _behind(rest, after)
            else:
                folded.append(rest)
    return folded


def _behind(step: Affine, layer: Dense | Conv2D) -> Dense | Conv2D:
    """Returns the layer that does the work of ``step`` as well."""
    kernel = layer.kernel * step.scale[:, None]
    offsets = layer.kernel * step.offset[:, None]
    return replace(
        layer, kernel=kernel, bias=layer.bias + offsets.sum(axis=tuple(range(kernel.ndim - 1)))
    )
