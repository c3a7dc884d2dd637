"""What post-training quantization has to round: the constants and the results of each step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from l1distill.compression.float_layers import (
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
    DecisionTrees,
    Dense,
    Layer,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    QuantizeElements,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import Array
from l1distill.firmware.readers.untyped import FLOAT, floating_constants

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
    return bool(floating_constants(step))


@needs_rounding.register
def _wider(_: Activation | Add | Multiply | Square | Subtract) -> bool:
    return True


@needs_rounding.register
def _exact(
    _: FunctionStep
    | SlopeStep
    | ArgmaxStep
    | Concatenate
    | DecisionTrees
    | Lookup
    | MaxPool2D
    | Quantize
    | QuantizeElements
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
def _round_linear(layer: Dense | Conv2D | Affine, choose_type: ChooseType) -> Layer:
    changes: dict[str, Any] = {}
    for name in floating_constants(layer):
        values = getattr(layer, name)
        fixed_type = choose_type(values)
        changes |= {name: fixed_type.quantize(values), f"{name}_type": fixed_type}
    return replace(layer, **changes) if changes else layer


@round_constants.register
def _no_constants(
    layer: Add
    | Concatenate
    | DecisionTrees
    | Lookup
    | MaxPool2D
    | Multiply
    | Quantize
    | QuantizeElements
    | Reshape
    | Select
    | Square
    | Subtract
    | UpSample2D
    | ZeroPad2D,
    _: ChooseType,
) -> Layer:
    return layer
