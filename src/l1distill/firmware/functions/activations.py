"""Sigmoid, tanh and softmax between the layers of a network, approximated by exact layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.argmax import argmax_layers
from l1distill.firmware.functions.piecewise_linear import PiecewiseLinear, fit_piecewise_linear
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of, smallest_type
from l1distill.firmware.network.layers import (
    Conv2D,
    Dense,
    Quantize,
    Reshape,
    UnaryLayer,
    value_range_after,
)
from l1distill.firmware.network.value_range import ValueRange

Array = NDArray[np.float64]
_FINEST = 12
"""Most digits behind the point of what goes into a function."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A rising function with a limit at either end."""

    values: Callable[[Array], Array]
    steepest: float
    """Its largest slope."""
    integer: int
    """Beyond ``2**integer`` it is within a thousandth of its limits."""
    signed: bool


def _sigmoid(x: Array) -> Array:
    result: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return result


FUNCTIONS: Mapping[str, Function] = {
    "sigmoid": Function(values=_sigmoid, steepest=0.25, integer=3, signed=False),
    "tanh": Function(values=np.tanh, steepest=1.0, integer=2, signed=True),
}


class FunctionApproximator:
    """Builder of the layers of a network's functions, which records the error of each.

    Attributes:
        bits: of the results of a function, where the model names no type.
        pieces: most straight pieces of each.
        softmax: what stands for one at an end: a 1 for the largest number; None for nothing.
        errors: by the name of a layer, the largest difference from its function.
        classes: names of layers that give a 1 for the largest number.
        means: by the name of a layer, the step to which its means are rounded and their largest
            error.
    """

    def __init__(
        self, bits: int, pieces: int = 16, softmax: Literal["argmax"] | None = None
    ) -> None:
        """Begin without a function."""
        self.bits = bits
        self.pieces = pieces
        self.softmax = softmax
        self.errors: dict[str, float] = {}
        self.classes: list[str] = []
        self.means: dict[str, tuple[float, float]] = {}

    def layers(
        self, name: str, function: str, tensor: ValueRange, result_type: FixedPoint | None = None
    ) -> list[UnaryLayer]:
        """Return the layers that approximate one of :data:`FUNCTIONS` of each number.

        Args:
            name: of the last of them, and the beginning of the others' names.
            function: a key of :data:`FUNCTIONS`.
            tensor: the value range of the input.
            result_type: what the results are rounded to; between the function's limits if None.
        """
        exact = FUNCTIONS[function]
        if result_type is None:
            fraction = self.bits - exact.signed
            result_type = FixedPoint(signed=exact.signed, integer=0, fraction=fraction)
        layers: list[UnaryLayer] = []
        # far from zero, and far behind the point, the results do not change any more
        integer = exact.integer + (result_type.fraction > 10 - exact.signed)
        fraction = min(tensor.fraction, result_type.fraction + 2, _FINEST)
        narrow = FixedPoint(signed=True, integer=integer, fraction=fraction)
        is_rounded = fraction < tensor.fraction
        if is_rounded or narrow.low > tensor.low.min() or narrow.high < tensor.high.max():
            layers.append(Quantize(f"{name}_in", type=narrow))
        inputs = value_range_after(layers, tensor)
        low, high = float(inputs.low.min()), float(inputs.high.max())
        grid = np.arange(low, high + narrow.step / 2, narrow.step)
        values = exact.values(grid)
        approximated = fit_piecewise_linear(
            grid, values, self.pieces, np.ones_like(values), result_type.step / 8
        ).function
        layers += _piecewise_layers(name, approximated, inputs)
        layers.append(Quantize(name, type=result_type))
        inside = np.abs(result_type.quantize(approximated(grid)) - values).max()
        # a number that has been clipped gives the value at the end of the range
        at_ends = result_type.quantize(approximated(grid[[0, -1]]))
        outside = np.abs(at_ends - exact.values(np.array([tensor.low.min(), tensor.high.max()])))
        rounding = exact.steepest * narrow.step / 2 if is_rounded else 0.0
        self.errors[name] = float(max(inside, outside.max())) + rounding
        return layers

    def argmax(self, name: str, tensor: ValueRange) -> list[UnaryLayer]:
        """Return the layers that stand for a softmax; see :func:`.argmax.argmax_layers`."""
        self.classes.append(name)
        return argmax_layers(name, tensor)

    def add_mean(self, name: str, step: float, error: float) -> None:
        """Record a mean that is rounded."""
        self.means[name] = (step, error)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for the model card about each function that is not exact."""
        errors = (
            f"Layer {name} is made of straight pieces: it is off by at most {error:.2g}."
            for name, error in self.errors.items()
        )
        largest = (
            f"Layer {name} gives a 1 for the largest number, the first of equal ones, and a 0 for "
            "all others; the model has a softmax there."
            for name in self.classes
        )
        means = (
            f"Layer {name} divides by no power of two: its means are rounded to multiples of "
            f"{step:g}, off by at most {error:.2g}."
            for name, (step, error) in self.means.items()
        )
        return (*errors, *means, *largest)


def _piecewise_layers(name: str, function: PiecewiseLinear, tensor: ValueRange) -> list[UnaryLayer]:
    """Return the layers of a piecewise linear function of every number of a tensor."""
    channels, pieces = tensor.shape[-1], len(function.knots)
    kept = np.flatnonzero(function.slopes) if function.slopes.any() else np.arange(pieces)
    knots, slopes = function.knots[kept], function.slopes[kept]
    copies = np.repeat(np.eye(channels), len(kept), axis=1)
    layers: list[UnaryLayer] = []
    if len(tensor.shape) == 2:
        layers.append(Reshape(f"{name}_image", shape=(tensor.shape[0], 1, channels)))
    is_vector = len(tensor.shape) == 1
    layers.append(
        _each_channel(f"{name}_hinges", copies, np.tile(-knots, channels) + 0.0, is_vector)
    )
    distances = value_range_after(layers, tensor)
    positive = smallest_type(0.0, max(float(distances.high.max()), 0.0), distances.fraction)
    integer = max(positive.integer, 1 - distances.fraction)
    layers.append(
        Quantize(f"{name}_positive", type=replace(positive, rounding="TRN", integer=integer))
    )
    weights, start = np.kron(np.eye(channels), slopes[:, None]), np.full(channels, function.start)
    layers.append(_each_channel(f"{name}_sums", weights, start, is_vector))
    if len(tensor.shape) == 2:
        layers.append(Reshape(f"{name}_sequence", shape=tensor.shape))
    return layers


def _each_channel(name: str, kernel: Array, bias: Array, is_vector: bool) -> UnaryLayer:
    """Return a layer that multiplies the channels by a matrix, in a vector or at each pixel."""
    if is_vector:
        return Dense.exact(name, kernel, bias)
    kernel_type, bias_type = grid_of(kernel), grid_of(bias)
    image = kernel[None, None]
    return Conv2D(name, kernel=image, bias=bias, kernel_type=kernel_type, bias_type=bias_type)
