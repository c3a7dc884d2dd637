"""Functions between the layers of a network, approximated by exact layers."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.functions.argmax import argmax_layers
from l1distill.firmware.functions.piecewise_linear import PiecewiseLinear, fit_piecewise_linear
from l1distill.firmware.functions.scalar_functions import FUNCTIONS, Function
from l1distill.firmware.functions.softmax import append_softmax
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of, smallest_type
from l1distill.firmware.network.layers import (
    Affine,
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


class FunctionApproximator:
    """Builder of the layers of a network's functions, which records the error of each.

    Attributes:
        bits: of the results of a function, where the model names no type.
        pieces: most straight pieces of each.
        softmax: what stands for one at an end: a 1 for the largest number, or tables; None for
            nothing.
        errors: by the name of a layer, the largest difference from its function.
        classes: names of layers that give a 1 for the largest number.
        means: by the name of a layer, the step to which its means are rounded and their largest
            error.
        table_errors: by the name of a softmax of tables, the most that a probability is off.
    """

    def __init__(
        self, bits: int, pieces: int = 16, softmax: Literal["argmax", "table"] | None = None
    ) -> None:
        """Begin without a function."""
        self.bits = bits
        self.pieces = pieces
        self.softmax = softmax
        self.errors: dict[str, float] = {}
        self.classes: list[str] = []
        self.means: dict[str, tuple[float, float]] = {}
        self.table_errors: dict[str, float] = {}

    def layers(
        self,
        name: str,
        function: str | Function,
        tensor: ValueRange,
        result_type: FixedPoint | None = None,
    ) -> list[UnaryLayer]:
        """Return the layers that approximate a function of each number.

        Args:
            name: of the last of them, and the beginning of the others' names.
            function: the function, or a key of :data:`.scalar_functions.FUNCTIONS`.
            tensor: the value range of the input.
            result_type: what the results are rounded to; if None, between the function's limits,
                or whatever the input leads to where it has none.
        """
        exact = FUNCTIONS[function] if isinstance(function, str) else function
        ends = np.array([tensor.low.min(), tensor.high.max()])
        if result_type is None:
            result_type = self._result_type(exact, ends)
        layers: list[UnaryLayer] = []
        # far from zero, and far behind the point, the results do not change any more
        integer = tensor.type.integer
        if exact.integer is not None:
            integer = exact.integer + (result_type.fraction > 10 - exact.signed)
        fraction = min(tensor.fraction, result_type.fraction + 2, _FINEST)
        narrow = FixedPoint(signed=True, integer=integer, fraction=fraction)
        is_rounded = fraction < tensor.fraction
        if is_rounded or narrow.low > ends[0] or narrow.high < ends[1]:
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
        if exact.integer is None:  # clipping to the type's range is none of the pieces' error
            values = np.clip(values, result_type.low, result_type.high)
        inside = np.abs(result_type.quantize(approximated(grid)) - values).max()
        self.errors[name] = float(inside)
        if exact.integer is not None:
            # a number that has been clipped gives the value at the end of the range
            at_ends = result_type.quantize(approximated(grid[[0, -1]]))
            outside = np.abs(at_ends - exact.values(ends))
            self.errors[name] = float(max(inside, outside.max()))
        self.errors[name] += exact.steepest * narrow.step / 2 if is_rounded else 0.0
        return layers

    def _result_type(self, function: Function, ends: Array) -> FixedPoint:
        """Return a type for all values of a function between two numbers."""
        integer = 0
        if function.integer is None:
            values = function.values(np.linspace(float(ends[0]), float(ends[1]), 1000))
            integer = math.frexp(float(np.abs(values).max()))[1]
        fraction = self.bits - function.signed - integer
        return FixedPoint(signed=function.signed, integer=integer, fraction=fraction)

    def append_softmax(self, builder: Builder, tensor: int, name: str) -> int:
        """Append what stands for a softmax: :func:`.argmax_layers`, or :func:`.append_softmax`.

        Args:
            builder: appended to.
            tensor: of (n,) numbers.
            name: of the last layer.

        Returns:
            The tensor of the last layer.
        """
        if self.softmax == "table":
            tensor, self.table_errors[name] = append_softmax(builder, tensor, name, self.bits)
            return tensor
        self.classes.append(name)
        for layer in argmax_layers(name, builder.value_ranges[tensor]):
            tensor = builder.add(layer, tensor)
        return tensor

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
        tables = (
            f"Layer {name} makes probabilities of tables: each is off by at most {error:.2g}, "
            "given the numbers that go into it."
            for name, error in self.table_errors.items()
        )
        return (*errors, *means, *largest, *tables)


def _piecewise_layers(name: str, function: PiecewiseLinear, tensor: ValueRange) -> list[UnaryLayer]:
    """Return the layers of a piecewise linear function of every number of a tensor."""
    channels, pieces = tensor.shape[-1], len(function.knots)
    if not pieces:  # of a single number
        start = np.full(channels, function.start)
        return [Affine.exact(f"{name}_sums", np.zeros(channels), start)]
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


def slope_layers(name: str, tensor: ValueRange, slopes: Array) -> list[UnaryLayer]:
    """Return the layers that multiply negative numbers by slopes of their own: a PReLU.

    Args:
        name: of the last layer, and the beginning of the others' names.
        tensor: the value range of the input.
        slopes: that broadcast to the shape of the input, on a grid.
    """
    shape = tensor.shape
    whole = np.broadcast_to(slopes, shape)
    layers: list[UnaryLayer] = []
    if np.array_equal(whole, np.broadcast_to(whole.reshape(-1, shape[-1])[0], shape)):
        view: tuple[int, ...] = (math.prod(shape[:-1]), 1, shape[-1])  # the same at each position
    else:
        view = (tensor.size,)
    if len(shape) == 1 or view == shape:
        view = shape
    if view != shape:
        layers.append(Reshape(f"{name}_view", shape=view))
    is_vector, channels = len(view) == 1, view[-1]
    each = np.eye(channels)
    signs = np.concatenate([each, -each], axis=1)
    layers.append(_each_channel(f"{name}_signs", signs, np.zeros(2 * channels), is_vector))
    parts = value_range_after(layers, tensor)
    layers.append(Quantize(f"{name}_parts", type=parts.positive_type))
    own = whole.reshape(-1, channels)[0]
    weights = np.concatenate([each, -np.diag(own)])
    layers.append(_each_channel(name, weights, np.zeros(channels), is_vector))
    if view != shape:
        layers.append(Reshape(f"{name}_shape", shape=shape))
    return layers
