"""Reads pooling layers: the largest number or the mean of each window."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import Dense, MaxPool2D, Reshape, UnaryLayer
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.wiring import as_image, as_sequence, rearranged

_MEAN_LIMIT = 2**20
"""Most elements of the matrix that a mean is computed with."""
MEANS = (
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
)
QUANTIZED_MEANS = ("QAveragePooling2D", "QGlobalAveragePooling2D")


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """Where the windows of a pooling layer are, along each axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    number: tuple[int, ...]
    before: tuple[int, ...]
    """By how much the first window begins before the axis does."""

    @classmethod
    def of(cls, layer: Any, shape: tuple[int, ...]) -> "_Windows":
        """Return the windows of a layer on an input of (..., channels)."""
        size = tuple(np.atleast_1d(layer.pool_size).tolist())
        strides = tuple(np.atleast_1d(layer.strides).tolist())
        axes = list(zip(shape[:-1], size, strides, strict=True))
        if layer.padding == "same":
            number = tuple(-(-length // stride) for length, _, stride in axes)
            missing = (
                max((count - 1) * stride + window - length, 0)
                for count, (length, window, stride) in zip(number, axes, strict=True)
            )
            before = tuple(zeros // 2 for zeros in missing)
        else:
            number = tuple((length - window) // stride + 1 for length, window, stride in axes)
            before = (0,) * len(size)
        return cls(size=size, strides=strides, number=number, before=before)

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> "_Windows":
        """Return a single window over all of an input of (..., channels)."""
        ones = (1,) * (len(shape) - 1)
        return cls(size=shape[:-1], strides=ones, number=ones, before=(0,) * len(ones))

    def places(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return (*number, window) numbers of positions; -1 beyond the ends of the input."""
        lengths = shape[:-1]
        positions = np.arange(math.prod(lengths)).reshape(lengths)
        result = np.full((*self.number, math.prod(self.size)), -1)
        for window in np.ndindex(*self.number):
            for place, offset in enumerate(np.ndindex(*self.size)):
                axes = zip(window, self.strides, offset, self.before, strict=True)
                position = tuple(at * stride + step - start for at, stride, step, start in axes)
                if all(0 <= at < length for at, length in zip(position, lengths, strict=True)):
                    result[(*window, place)] = positions[position]
        return result


def read_max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layers of a ``MaxPooling1D`` or ``MaxPooling2D``."""
    windows = _Windows.of(layer, shape)
    is_sequence = len(shape) == 2
    is_tiled = windows.strides == windows.size and not any(windows.before)
    if is_tiled and windows.number == tuple(
        length // window for length, window in zip(shape[:-1], windows.size, strict=True)
    ):
        if is_sequence:
            yield as_image(layer, shape)
        height, width = (*windows.size, 1)[:2]
        yield MaxPool2D(layer.name, size=(height, width))
        if is_sequence:
            yield as_sequence(layer, windows.number[0], shape[-1])
        return
    # windows that overlap or leave gaps are copied side by side; beyond an end, where no number
    # is larger than those of the window, its first one stands once more
    places = windows.places(shape)
    inside = np.take_along_axis(places, (places >= 0).argmax(axis=-1)[..., None], axis=-1)
    places = np.where(places < 0, inside, places).reshape(-1, places.shape[-1])
    yield from rearranged(
        f"{layer.name}_windows", shape, lambda x: x.reshape(-1, shape[-1])[places]
    )
    yield MaxPool2D(layer.name, size=(1, places.shape[-1]))
    yield as_sequence(layer, *windows.number, shape[-1])


def read_global_max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layers of a ``GlobalMaxPooling1D`` or ``GlobalMaxPooling2D``."""
    if len(shape) == 2:
        yield as_image(layer, shape)
        shape = (shape[0], 1, shape[1])
    yield MaxPool2D(layer.name, size=(shape[0], shape[1]))
    yield Reshape(f"{layer.name}_flat", shape=_global_shape(layer, shape))


def _global_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    keep = getattr(layer, "keepdims", False)
    return (*((1,) * (len(shape) - 1) if keep else ()), shape[-1])


def read_mean_pooling(
    layer: Any, shape: tuple[int, ...], inexact_type: FixedPoint | None
) -> Iterator[UnaryLayer | Division]:
    """Yield the layers of one of :data:`MEANS` or :data:`QUANTIZED_MEANS`.

    Args:
        layer: the layer.
        shape: of its input.
        inexact_type: the type of weights that are no powers of two, where the caller rounds them
            later; ``None`` for sums and a :class:`Division` behind them.

    Raises:
        DataError: it is too large, or its average_quantizer leaves nothing.
    """
    is_global = "Global" in type(layer).__name__
    windows = _Windows.whole(shape) if is_global else _Windows.of(layer, shape)
    _check_size(layer, math.prod(shape), math.prod(windows.number) * shape[-1])
    terms = _terms_of_means(windows, shape)
    shares = 1.0 / terms.sum(axis=0)
    shape_out = _global_shape(layer, shape) if is_global else (*windows.number, shape[-1])
    quantizer = getattr(layer, "average_quantizer_internal", None)
    if quantizer is None:
        yield from _means(layer, terms, shape_out, inexact_type)
        return
    shares = np.array([float(np.asarray(quantizer(share))) for share in shares])
    if not shares.any():
        refuse(layer, "its average_quantizer has no number but zero for the share of one")
    yield from _sums(layer, shares * terms, shape_out)


def read_reduction(
    layer: Any, shape: tuple[int, ...], inexact_type: FixedPoint | None
) -> Iterator[UnaryLayer | Division]:
    """Yield the layers of a :class:`.operations.Reduction`.

    Raises:
        DataError: it goes over the events, or is too large.
    """
    axes = [range(len(shape) + 1)[axis] - 1 for axis in layer.axes]
    if -1 in axes:
        refuse(layer, "goes over the axis of the events")
    numbers = np.arange(math.prod(shape)).reshape(shape)
    moved = np.moveaxis(numbers, axes, range(-len(axes), 0))
    rest = [1 if axis in axes else size for axis, size in enumerate(shape)]
    if not layer.keepdims:
        rest = [size for axis, size in enumerate(shape) if axis not in axes]
    shape_out = tuple(rest) or (1,)
    places = moved.reshape(math.prod(shape_out), -1)
    if layer.function == "max":
        yield from rearranged(f"{layer.name}_windows", shape, lambda _: places[..., None])
        yield MaxPool2D(layer.name, size=(1, places.shape[1]))
        yield as_sequence(layer, *shape_out)
        return
    _check_size(layer, numbers.size, len(places))
    terms = np.zeros((numbers.size, len(places)))
    np.put_along_axis(terms, places.T, 1.0, axis=0)
    if layer.function == "sum":
        yield from _sums(layer, terms, shape_out)
    else:
        yield from _means(layer, terms, shape_out, inexact_type)


def _check_size(layer: Any, n_in: int, n_out: int) -> None:
    if n_in * n_out > _MEAN_LIMIT:
        refuse(layer, f"a mean of {n_in} numbers to {n_out} is too large; pool step by step")


def _means(
    layer: Any,
    terms: NDArray[np.float64],
    shape_out: tuple[int, ...],
    inexact_type: FixedPoint | None,
) -> Iterator[UnaryLayer | Division]:
    """Yield the mean of the elements that each column of a matrix marks."""
    counts = terms.sum(axis=0)
    division = Division(name=layer.name, counts=counts)
    if division.is_exact or inexact_type is not None:
        kernel_type = None if division.is_exact else inexact_type
        yield from _sums(layer, terms / counts, shape_out, kernel_type)
        return
    for step in _sums(layer, terms, shape_out):
        yield replace(step, name=f"{layer.name}_sums") if isinstance(step, Dense) else step
        if isinstance(step, Dense):
            yield division


def _sums(
    layer: Any,
    kernel: NDArray[np.float64],
    shape_out: tuple[int, ...],
    kernel_type: FixedPoint | None = None,
) -> Iterator[UnaryLayer]:
    """Yield weighted sums of all elements; their weights are exact if they have no type."""
    n_in, n_out = kernel.shape
    weight_type = kernel_type or grid_of(np.concatenate([-kernel, kernel]))
    yield Reshape(f"{layer.name}_in", shape=(n_in,))
    yield Dense(
        layer.name,
        kernel=kernel,
        bias=np.zeros(n_out),
        kernel_type=weight_type,
        bias_type=weight_type,
    )
    if shape_out != (n_out,):
        yield Reshape(f"{layer.name}_out", shape=shape_out)


def _terms_of_means(windows: _Windows, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return (n_in, n_out): 1 where a flattened input is in the window of a flattened output."""
    places = windows.places(shape).reshape(-1, math.prod(windows.size))
    in_window = np.zeros((math.prod(shape[:-1]), len(places)))
    for window, positions in enumerate(places):
        in_window[positions[positions >= 0], window] = 1.0
    return np.kron(in_window, np.eye(shape[-1]))
