"""Layers that compute nothing: every result is one of the inputs, or zero."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers.base import UnaryLayer, apply_to_one
from l1distill.firmware.network.value_range import Array, ValueRange


@dataclass(frozen=True, eq=False, kw_only=True)
class SelectionLayer(UnaryLayer):
    """A layer whose results are monotonic choices among its inputs, so that types stay."""

    def value_range(self, x: ValueRange) -> ValueRange:
        """Return the value range of the results."""
        return ValueRange(
            low=apply_to_one(self, x.low), high=apply_to_one(self, x.high), fraction=x.fraction
        )

    def partial_sums(self, x: ValueRange) -> None:
        """Return nothing: no numbers are added up."""

    def result_type(self, input_type: FixedPoint, results: ValueRange) -> FixedPoint:
        """Return the type of the input."""
        return input_type


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool2D(SelectionLayer):
    """The largest of each window; windows do not overlap, an incomplete one at an end is left."""

    size: tuple[int, int]
    """Rows and columns of a window."""

    def apply(self, x: Array) -> Array:
        """Compute (n, rows, columns, channels), fewer rows and columns."""
        result: Array = self.windows(x).max(axis=-1)
        return result

    def windows(self, x: Any) -> Any:
        """Return (n, rows, columns, channels, window)."""
        (height, width), (n, *image, channels) = self.size, x.shape
        rows, columns = image[0] // height, image[1] // width
        x = x[:, : rows * height, : columns * width]
        x = x.reshape(n, rows, height, columns, width, channels)
        return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, channels, height * width)


@dataclass(frozen=True, eq=False, kw_only=True)
class UpSample2D(SelectionLayer):
    """Every row and column several times."""

    size: tuple[int, int]
    """How often each row and each column comes."""

    def apply(self, x: Any) -> Any:
        """Compute (n, rows, columns, channels), more rows and columns."""
        return np.repeat(np.repeat(x, self.size[0], axis=1), self.size[1], axis=2)


@dataclass(frozen=True, eq=False, kw_only=True)
class ZeroPad2D(SelectionLayer):
    """Rows and columns of zeros around an image."""

    margins: tuple[tuple[int, int], tuple[int, int]]
    """How many (above, below) and (left, right)."""

    def apply(self, x: Any) -> Any:
        """Compute (n, rows, columns, channels), more rows and columns."""
        return np.pad(x, ((0, 0), *self.margins, (0, 0)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(SelectionLayer):
    """Another shape for the same numbers in the same order, the last index running fastest."""

    shape: tuple[int, ...]
    """Without events."""

    def apply(self, x: Any) -> Any:
        """Compute (n, *shape)."""
        return x.reshape(x.shape[0], *self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Select(SelectionLayer):
    """Elements by their number, in any order, left out or repeated: crops, transposes, slices."""

    indices: tuple[int, ...]
    """Of each result, the number of the element that it is, the last index running fastest."""
    shape: tuple[int, ...]
    """Of the results, without events."""

    def apply(self, x: Any) -> Any:
        """Compute (n, *shape)."""
        flat = x.reshape(x.shape[0], -1)
        return flat[:, np.asarray(self.indices, dtype=np.int64)].reshape(x.shape[0], *self.shape)
