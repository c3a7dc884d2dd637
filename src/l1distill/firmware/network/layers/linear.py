"""Layers with weights: fully connected, convolution, and a scale and offset of each channel."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers.base import UnaryLayer, apply_to_one
from l1distill.firmware.network.value_range import Array, ValueRange

Padding = Literal["valid", "same"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(UnaryLayer):
    """A fully connected layer, ``y = x @ kernel + bias``, computed without any loss."""

    kernel: Array
    """Shape (n_in, n_out), every element of ``kernel_type``."""
    bias: Array
    """Shape (n_out,), every element of ``bias_type``; zeros where the layer has none."""
    kernel_type: FixedPoint
    bias_type: FixedPoint

    @classmethod
    def exact(cls, name: str, kernel: Array, bias: Array | None = None) -> "Dense":
        """Make a layer whose constants have the narrowest types that hold them without loss.

        Args:
            name: of the layer.
            kernel: (n_in, n_out).
            bias: (n_out,); zeros if None.
        """
        bias = np.zeros(kernel.shape[1]) if bias is None else bias
        types = {"kernel_type": grid_of(kernel), "bias_type": grid_of(bias)}
        return cls(name, kernel=kernel, bias=bias, **types)

    def apply(self, x: Array) -> Array:
        """Compute (n, n_out) sums of (n, n_in) numbers."""
        result: Array = x @ self.kernel + self.bias
        return result

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the sums; both ends are reached."""
        return _linear_value_range(self, x)

    def partial_sums(self, x: ValueRange) -> Array:
        """Return the largest absolute value of any partial sum, whatever the order."""
        return _linear_partial_sums(self, x)

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the sums."""
        return results.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2D(UnaryLayer):
    """A convolution as Keras computes it, without any loss; channels come last."""

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
        """Compute (n, rows, columns, n_out) sums of (n, rows, columns, n_in) numbers."""
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
        """Return (n, rows, columns, height * width * n_in): the terms of each sum."""
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
        """Return how many zeros are added (above, below) and (left, right) of an image."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        height, width = self.kernel.shape[:2]
        rows = _same_padding(shape[0], height, self.strides[0])
        return rows, _same_padding(shape[1], width, self.strides[1])

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the sums; both ends are reached."""
        return _linear_value_range(self, x)

    def partial_sums(self, x: ValueRange) -> Array:
        """Return the largest absolute value of any partial sum, whatever the order."""
        return _linear_partial_sums(self, x)

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the sums."""
        return results.type


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(UnaryLayer):
    """A scale and an offset of its own for each channel or element: batch normalization."""

    scale: Array
    """Shape (channels,) or that of the whole tensor, every element of ``scale_type``."""
    offset: Array
    """The shape of ``scale``, every element of ``offset_type``."""
    scale_type: FixedPoint
    offset_type: FixedPoint

    @classmethod
    def exact(cls, name: str, scale: Array, offset: Array | None = None) -> "Affine":
        """Make a layer whose constants have the narrowest types that hold them without loss.

        Args:
            name: of the layer.
            scale: (channels,) or the shape of the whole tensor.
            offset: the shape of ``scale``; zeros if None.
        """
        offset = np.zeros_like(scale) if offset is None else offset
        types = {"scale_type": grid_of(scale), "offset_type": grid_of(offset)}
        return cls(name, scale=scale, offset=offset, **types)

    def apply(self, x: Array) -> Array:
        """Compute ``x * scale + offset``, the shape of ``x``."""
        result: Array = x * self.scale + self.offset
        return result

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results."""
        ends = np.stack([x.low * self.scale, x.high * self.scale]) + self.offset
        fraction = max(x.fraction + self.scale_type.fraction, self.offset_type.fraction)
        return ValueRange(low=ends.min(axis=0), high=ends.max(axis=0), fraction=fraction)

    def partial_sums(self, x: ValueRange) -> Array:
        """Return the largest absolute value of any partial sum."""
        result: Array = x.magnitude * np.abs(self.scale) + np.abs(self.offset)
        return result

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the narrowest type of the results."""
        return results.type


def _same_padding(length: int, window: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis, with which each stride has a window."""
    windows = -(-length // stride)
    zeros = max((windows - 1) * stride + window - length, 0)
    return zeros // 2, zeros - zeros // 2


def _linear_value_range(layer: Dense | Conv2D, x: ValueRange) -> ValueRange:
    positive = replace(layer, kernel=np.maximum(layer.kernel, 0))
    negative = replace(layer, kernel=np.minimum(layer.kernel, 0), bias=np.zeros_like(layer.bias))
    return ValueRange(
        low=apply_to_one(positive, x.low) + apply_to_one(negative, x.high),
        high=apply_to_one(positive, x.high) + apply_to_one(negative, x.low),
        fraction=max(x.fraction + layer.kernel_type.fraction, layer.bias_type.fraction),
    )


def _linear_partial_sums(layer: Dense | Conv2D, x: ValueRange) -> Array:
    absolute = replace(layer, kernel=np.abs(layer.kernel), bias=np.abs(layer.bias))
    return apply_to_one(absolute, x.magnitude)
