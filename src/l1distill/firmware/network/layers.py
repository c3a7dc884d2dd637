"""The layers of a quantized network: what each computes, exactly, and what can come out of it."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.firmware.network.fixed_point import FixedPoint, smallest_type

Padding = Literal["valid", "same"]
Array = NDArray[np.float64]


class ValueRange(NamedTuple):
    """What a tensor can hold: element by element the ends, and one grid for all of them."""

    low: Array
    """The tensor's shape without events; the smallest value of each element."""
    high: Array
    fraction: int
    """Every value is a multiple of ``2**-fraction``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor of one event."""
        return self.low.shape

    @property
    def reach(self) -> Array:
        """The largest absolute value of each element."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def type(self) -> FixedPoint:
        """The narrowest type that holds every element without loss."""
        return smallest_type(float(self.low.min()), float(self.high.max()), self.fraction)


class Dense(NamedTuple):
    """A fully connected layer, ``y = x @ kernel + bias``, computed without any loss."""

    name: str
    kernel: Array
    """Shape (n_in, n_out), every element of ``kernel_type``."""
    bias: Array
    """Shape (n_out,), every element of ``bias_type``; zeros where the layer has none."""
    kernel_type: FixedPoint
    bias_type: FixedPoint

    def apply(self, x: Array) -> Array:
        """Returns (n, n_out) sums of (n, n_in) numbers."""
        result: Array = x @ self.kernel + self.bias
        return result

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _linear_span(self, x)

    def partial_sums(self, x: ValueRange) -> Array:
        """Returns the largest absolute value of any partial sum, whatever the order."""
        magnitude = self._replace(kernel=np.abs(self.kernel), bias=np.abs(self.bias))
        return _one(magnitude, x.reach)


class Conv2D(NamedTuple):
    """A convolution as Keras computes it, without any loss; channels come last."""

    name: str
    kernel: Array
    """Shape (height, width, n_in, n_out), every element of ``kernel_type``."""
    bias: Array
    """Shape (n_out,), every element of ``bias_type``; zeros where the layer has none."""
    kernel_type: FixedPoint
    bias_type: FixedPoint
    padding: Padding = "valid"
    strides: tuple[int, int] = (1, 1)
    """Rows and columns from one window to the next."""

    def apply(self, x: Array) -> Array:
        """Returns (n, rows, columns, n_out) sums of (n, rows, columns, n_in) numbers."""
        height, width, n_in, n_out = self.kernel.shape
        if n_in <= n_out or self.strides != (1, 1):
            windows = self.windows(x)
            # one large product: numpy would make a small one of each row of an image
            sums = windows.reshape(-1, windows.shape[-1]) @ self.matrix
            result: Array = sums.reshape(*windows.shape[:3], n_out) + self.bias
            return result
        # many channels become few: quicker to multiply first and to bring together then
        x = np.pad(x, ((0, 0), *self.margins(x.shape[1:]), (0, 0)))
        n, rows, columns, _ = x.shape
        products = x.reshape(-1, n_in) @ self.kernel.transpose(2, 0, 1, 3).reshape(n_in, -1)
        products = products.reshape(n, rows, columns, height, width, n_out)
        rows, columns = rows - height + 1, columns - width + 1
        total = np.zeros((n, rows, columns, n_out)) + self.bias
        for i, j in np.ndindex(height, width):
            total += products[:, i : i + rows, j : j + columns, i, j]
        return total

    def windows(self, x: Any) -> Any:
        """Returns (n, rows, columns, height * width * n_in): what each sum is made of."""
        height, width, n_in, _ = self.kernel.shape
        x = np.pad(x, ((0, 0), *self.margins(x.shape[1:]), (0, 0)))
        down, right = self.strides
        rows = np.arange(0, x.shape[1] - height + 1, down)[:, None] + np.arange(height)
        columns = np.arange(0, x.shape[2] - width + 1, right)[:, None] + np.arange(width)
        windows = x[:, rows[:, None, :, None], columns[None, :, None, :]]
        return windows.reshape(*windows.shape[:3], height * width * n_in)

    @property
    def matrix(self) -> Array:
        """The kernel as it meets a window: (height * width * n_in, n_out)."""
        return self.kernel.reshape(-1, self.kernel.shape[-1])

    def margins(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns how many zeros are added (above, below) and (left, right) of an image."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        height, width = self.kernel.shape[:2]
        rows = _around(shape[0], height, self.strides[0])
        return rows, _around(shape[1], width, self.strides[1])

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _linear_span(self, x)

    def partial_sums(self, x: ValueRange) -> Array:
        """Returns the largest absolute value of any partial sum, whatever the order."""
        magnitude = self._replace(kernel=np.abs(self.kernel), bias=np.abs(self.bias))
        return _one(magnitude, x.reach)


class Affine(NamedTuple):
    """A scale and an offset of its own for each channel or element: batch normalization."""

    name: str
    scale: Array
    """Shape (channels,) or that of the whole tensor, every element of ``scale_type``."""
    offset: Array
    """The shape of ``scale``, every element of ``offset_type``."""
    scale_type: FixedPoint
    offset_type: FixedPoint

    def apply(self, x: Array) -> Array:
        """Returns ``x * scale + offset``, the shape of ``x``."""
        result: Array = x * self.scale + self.offset
        return result

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        ends = np.stack([x.low * self.scale, x.high * self.scale]) + self.offset
        fraction = max(x.fraction + self.scale_type.fraction, self.offset_type.fraction)
        return ValueRange(ends.min(axis=0), ends.max(axis=0), fraction)

    def partial_sums(self, x: ValueRange) -> Array:
        """Returns the largest absolute value of any partial sum."""
        result: Array = x.reach * np.abs(self.scale) + np.abs(self.offset)
        return result


class Quantize(NamedTuple):
    """Rounds and clips to ``type``; an unsigned type makes it a ReLU as well.

    Negative numbers are multiplied by ``negative_slope`` before that: a leaky ReLU.
    """

    name: str
    type: FixedPoint
    negative_slope: float = 1.0
    """A power of two, at most 1."""

    def apply(self, x: Array) -> Array:
        """Returns the shape of ``x``, every element of ``type``."""
        if self.negative_slope != 1.0:
            x = np.maximum(x, x * self.negative_slope)
        return self.type.quantize(x)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        if self.type.overflow == "WRAP":  # which need not keep the ends the ends
            ends = np.full(x.shape, self.type.low), np.full(x.shape, self.type.high)
            return ValueRange(*ends, self.type.fraction)
        return ValueRange(self.apply(x.low), self.apply(x.high), self.type.fraction)


class Square(NamedTuple):
    """Every number times itself, without any loss."""

    name: str

    def apply(self, x: Any) -> Any:
        """Returns ``x * x``, the shape of ``x``."""
        return x * x

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        nearest: Array = np.maximum(np.maximum(x.low, -x.high), 0.0)
        return ValueRange(nearest**2, x.reach**2, 2 * x.fraction)

    def partial_sums(self, x: ValueRange) -> Array:
        """Returns the largest value: the partial sums of a multiplication are no larger."""
        result: Array = x.reach**2
        return result


class MaxPool2D(NamedTuple):
    """The largest of each window; windows do not overlap, an incomplete one at an end is left."""

    name: str
    size: tuple[int, int]
    """Rows and columns of a window."""

    def apply(self, x: Array) -> Array:
        """Returns (n, rows, columns, channels), fewer rows and columns."""
        result: Array = self.windows(x).max(axis=-1)
        return result

    def windows(self, x: Any) -> Any:
        """Returns (n, rows, columns, channels, window)."""
        (height, width), (n, *image, channels) = self.size, x.shape
        rows, columns = image[0] // height, image[1] // width
        x = x[:, : rows * height, : columns * width]
        x = x.reshape(n, rows, height, columns, width, channels)
        return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, channels, height * width)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _same_numbers(self, x)


class UpSample2D(NamedTuple):
    """Repeats every row and column."""

    name: str
    size: tuple[int, int]
    """How often each row and each column comes."""

    def apply(self, x: Any) -> Any:
        """Returns (n, rows, columns, channels), more rows and columns."""
        return np.repeat(np.repeat(x, self.size[0], axis=1), self.size[1], axis=2)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _same_numbers(self, x)


class ZeroPad2D(NamedTuple):
    """Puts rows and columns of zeros around an image."""

    name: str
    margins: tuple[tuple[int, int], tuple[int, int]]
    """How many (above, below) and (left, right)."""

    def apply(self, x: Any) -> Any:
        """Returns (n, rows, columns, channels), more rows and columns."""
        return np.pad(x, ((0, 0), *self.margins, (0, 0)))

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _same_numbers(self, x)


class Reshape(NamedTuple):
    """Another shape for the same numbers in the same order, the last index running fastest."""

    name: str
    shape: tuple[int, ...]
    """Without events."""

    def apply(self, x: Any) -> Any:
        """Returns (n, *shape)."""
        return x.reshape(x.shape[0], *self.shape)

    def value_range(self, x: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return _same_numbers(self, x)


class Add(NamedTuple):
    """The sum of two tensors of one shape, element by element, without any loss."""

    name: str

    def apply(self, x: Any, y: Any) -> Any:
        """Returns ``x + y``."""
        return x + y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return ValueRange(x.low + y.low, x.high + y.high, max(x.fraction, y.fraction))

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Returns the largest absolute value of each sum."""
        return x.reach + y.reach


class Subtract(NamedTuple):
    """The difference of two tensors of one shape, element by element, without any loss."""

    name: str

    def apply(self, x: Any, y: Any) -> Any:
        """Returns ``x - y``."""
        return x - y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Returns what can come out."""
        return ValueRange(x.low - y.high, x.high - y.low, max(x.fraction, y.fraction))

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Returns the largest absolute value of each difference."""
        return x.reach + y.reach


class Multiply(NamedTuple):
    """The product of two tensors of one shape, element by element, without any loss."""

    name: str

    def apply(self, x: Any, y: Any) -> Any:
        """Returns ``x * y``."""
        return x * y

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Returns what can come out."""
        ends = np.stack([a * b for a in (x.low, x.high) for b in (y.low, y.high)])
        return ValueRange(ends.min(axis=0), ends.max(axis=0), x.fraction + y.fraction)

    def partial_sums(self, x: ValueRange, y: ValueRange) -> Array:
        """Returns the largest value: the partial sums of a multiplication are no larger."""
        return x.reach * y.reach


class Concatenate(NamedTuple):
    """Two tensors side by side along an axis."""

    name: str
    axis: int
    """Counted without events, from 0."""

    def apply(self, x: Any, y: Any) -> Any:
        """Returns both, ``x`` first."""
        return np.concatenate([x, y], axis=self.axis + 1)

    def value_range(self, x: ValueRange, y: ValueRange) -> ValueRange:
        """Returns what can come out."""
        low, high = (
            np.concatenate(ends, axis=self.axis) for ends in ((x.low, y.low), (x.high, y.high))
        )
        return ValueRange(low, high, max(x.fraction, y.fraction))


Linear = Dense | Conv2D | Affine
Arithmetic = Add | Subtract | Multiply
"""Of two tensors."""
Unary = Linear | Square | Quantize | MaxPool2D | UpSample2D | ZeroPad2D | Reshape
"""Of one tensor."""
Binary = Arithmetic | Concatenate
Layer = Unary | Binary


def value_range_of(kind: FixedPoint, shape: ArrayLike) -> ValueRange:
    """Returns what a tensor of numbers of type ``kind`` can hold."""
    size = tuple(np.atleast_1d(shape).tolist())
    return ValueRange(np.full(size, kind.low), np.full(size, kind.high), kind.fraction)


def _one(layer: Any, x: Array) -> Array:
    result: Array = layer.apply(x[None])[0]
    return result


def _around(length: int, window: int, stride: int) -> tuple[int, int]:
    """Returns the zeros before and behind, with which each stride has a window."""
    windows = -(-length // stride)
    zeros = max((windows - 1) * stride + window - length, 0)
    return zeros // 2, zeros - zeros // 2


def _same_numbers(layer: Any, x: ValueRange) -> ValueRange:
    return ValueRange(_one(layer, x.low), _one(layer, x.high), x.fraction)


def _linear_span(layer: Dense | Conv2D, x: ValueRange) -> ValueRange:
    above = layer._replace(kernel=np.maximum(layer.kernel, 0))
    below = layer._replace(kernel=np.minimum(layer.kernel, 0), bias=np.zeros_like(layer.bias))
    fraction = max(x.fraction + layer.kernel_type.fraction, layer.bias_type.fraction)
    return ValueRange(
        _one(above, x.low) + _one(below, x.high),
        _one(above, x.high) + _one(below, x.low),
        fraction,
    )
