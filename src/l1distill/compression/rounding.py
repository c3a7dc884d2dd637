"""What post-training quantization has to round: the constants and the results of each step."""

from collections.abc import Callable
from dataclasses import replace

from l1distill.compression.float_layers import (
    FLOAT,
    Activation,
    ArgmaxStep,
    FunctionStep,
    SlopeStep,
    Step,
)
from l1distill.firmware.network.back_ends import back_end
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Multiply,
    Quantize,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import Array

ChooseType = Callable[[Array], FixedPoint]
"""From constants in floating point to the type that they are rounded to."""


@back_end("post-training quantization, results")
def needs_rounding(step: Step) -> bool:
    """Tell whether the results of a step have to be rounded, as they are not exact or too wide."""
    raise NotImplementedError


@needs_rounding.register
def _linear_needs_rounding(step: Dense | Conv2D) -> bool:
    return step.kernel_type is FLOAT


@needs_rounding.register
def _affine_needs_rounding(step: Affine) -> bool:
    return step.scale_type is FLOAT


@needs_rounding.register
def _wider(_: Activation | Add | Multiply | Square | Subtract) -> bool:
    return True


@needs_rounding.register
def _exact(
    _: FunctionStep
    | SlopeStep
    | ArgmaxStep
    | Concatenate
    | MaxPool2D
    | Quantize
    | Reshape
    | Select
    | UpSample2D
    | ZeroPad2D,
) -> bool:
    return False


@back_end("post-training quantization, constants")
def round_constants(layer: Layer, choose_type: ChooseType) -> Layer:
    """Round the constants of a layer that are in floating point.

    Args:
        layer: the layer.
        choose_type: chooses the type of each array of constants.

    Returns:
        The layer with constants of fixed-point types; itself where there is nothing to round.
    """
    raise NotImplementedError


@round_constants.register
def _round_linear(layer: Dense | Conv2D, choose_type: ChooseType) -> Layer:
    if not needs_rounding(layer):
        return layer
    kernel_type, bias_type = choose_type(layer.kernel), choose_type(layer.bias)
    return replace(
        layer,
        kernel=kernel_type.quantize(layer.kernel),
        bias=bias_type.quantize(layer.bias),
        kernel_type=kernel_type,
        bias_type=bias_type,
    )


@round_constants.register
def _round_affine(layer: Affine, choose_type: ChooseType) -> Layer:
    if not needs_rounding(layer):
        return layer
    scale_type, offset_type = choose_type(layer.scale), choose_type(layer.offset)
    return replace(
        layer,
        scale=scale_type.quantize(layer.scale),
        offset=offset_type.quantize(layer.offset),
        scale_type=scale_type,
        offset_type=offset_type,
    )


@round_constants.register
def _no_constants(
    layer: Add
    | Concatenate
    | MaxPool2D
    | Multiply
    | Quantize
    | Reshape
    | Select
    | Square
    | Subtract
    | UpSample2D
    | ZeroPad2D,
    _: ChooseType,
) -> Layer:
    return layer
