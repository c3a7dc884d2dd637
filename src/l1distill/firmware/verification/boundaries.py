"""The boundaries of each layer: inputs at which a back end is most likely to round wrongly."""

from collections.abc import Callable

import numpy as np

from l1distill.firmware.network.back_ends import back_end
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Lookup,
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
    fixed_type = layer.type
    low, high, step = fixed_type.low, fixed_type.high, fixed_type.step
    half = step / 2 if fixed_type.rounding == "RND_CONV" else 0.0

    def draw(rng: np.random.Generator) -> list[float]:
        edges = {low - half, low + half, high - half, high + half, 0.0}
        # halves between an even and an odd value, and between an odd and an even one
        codes = (0.0, 1.0, *rng.integers(0, 2 ** min(fixed_type.bits, 30), 4).tolist())
        edges |= {min(low + code * step, high) + half for code in codes}
        return [edge / layer.negative_slope if edge < 0 else edge for edge in sorted(edges)]

    return draw


@layer_boundaries.register
def _no_boundaries(
    _: Add
    | Affine
    | Concatenate
    | Conv2D
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
