"""The boundaries of each layer: inputs at which a back end is most likely to round wrongly."""

from collections.abc import Callable

import numpy as np

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

DrawBoundaries = Callable[[np.random.Generator], list[float]]
"""Draws inputs of a layer, in rising order, at which its result changes in one way or another."""


@back_end("adversarial events")
def layer_boundaries(layer: Layer) -> DrawBoundaries | None:
    """Return what draws the boundaries of a layer; None where the layer rounds and clips nothing.

    Args:
        layer: the layer.
    """
    raise NotImplementedError


@layer_boundaries.register
def _boundaries_of_quantizer(layer: Quantize) -> DrawBoundaries:
    """Return the ends of the range, zero, and halves between two values."""

    def draw(rng: np.random.Generator) -> list[float]:
        edges = sorted(_edges(layer.type, rng))
        return [edge / layer.negative_slope if edge < 0 else edge for edge in edges]

    return draw


@layer_boundaries.register
def _boundaries_of_element_quantizer(layer: QuantizeElements) -> DrawBoundaries:
    """Return those of every type; an element meets those of the others as well."""
    return lambda rng: sorted(
        set().union(*(_edges(one, rng) for one in dict.fromkeys(layer.types)))
    )


def _edges(fixed_type: FixedPoint, rng: np.random.Generator) -> set[float]:
    low, high, step = fixed_type.low, fixed_type.high, fixed_type.step
    half = 0.0 if fixed_type.rounding == "TRN" else step / 2
    edges = {low - half, low + half, high - half, high + half, 0.0}
    # halves between an even and an odd value, and between an odd and an even one
    codes = (0.0, 1.0, *rng.integers(0, 2 ** min(fixed_type.bits, 30), 4).tolist())
    return edges | {min(low + code * step, high) + half for code in codes}


@layer_boundaries.register
def _no_boundaries(
    _: Add
    | Affine
    | Concatenate
    | Conv2D
    | DecisionTrees
    | Dense
    | Lookup
    | MaxPool2D
    | Multiply
    | Reshape
    | Select
    | Square
    | Subtract
    | UpSample2D
    | ZeroPad2D,
) -> None:
    return None
