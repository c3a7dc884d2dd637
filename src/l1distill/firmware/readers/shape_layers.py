"""Reads the layers without weights of their own, which Keras and QKeras share."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Conv2D,
    Dense,
    MaxPool2D,
    Reshape,
    UnaryLayer,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import refuse

_MEAN_LIMIT = 2**20
"""Most elements of the matrix that a mean is computed with."""


def read_shape_layer(
    layer: Any, tensor: ValueRange | None, inexact: FixedPoint | None = None
) -> Iterator[UnaryLayer]:
    """Reads one of :data:`SHAPE_LAYERS`.

    Args:
        layer: the layer.
        tensor: what goes in.
        inexact: the type of shares that are on no grid, where somebody will round them; ``None``
            to refuse them.

    Returns:
        What it does; nothing where the shape stays the same.

    Raises:
        DataError: an option of it is not supported.
    """
    assert tensor is not None
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        refuse(layer, "has data_format='channels_first'; use 'channels_last'")
    name = type(layer).__name__
    if name in MEANS or name in _QUANTIZED_MEANS:
        yield from _mean_pooling(layer, tensor.shape, inexact)
    else:
        yield from _READERS[name](layer, tensor.shape)


def as_image(layer: Any, shape: tuple[int, ...]) -> Reshape:
    """Returns the view of a sequence, (steps, channels), as an image one column wide."""
    return Reshape(f"{layer.name}_image", shape=(shape[0], 1, shape[1]))


def as_sequence(layer: Any, steps: int, channels: int) -> Reshape:
    """Returns the way back from :func:`as_image`."""
    return Reshape(f"{layer.name}_sequence", shape=(steps, channels))


def _reshape(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    size = math.prod(shape)
    target: tuple[int, ...] = (size,)
    if type(layer).__name__ == "Reshape":
        target = np.empty(size).reshape(layer.target_shape).shape
    if target != shape:
        yield Reshape(layer.name, shape=target)


class _Windows(NamedTuple):
    """Where the windows of a pooling layer are, along each axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    number: tuple[int, ...]


def _windows(layer: Any, shape: tuple[int, ...]) -> _Windows:
    size = tuple(np.atleast_1d(layer.pool_size).tolist())
    strides = tuple(np.atleast_1d(layer.strides).tolist())
    if layer.padding != "valid":
        refuse(layer, f"has padding={layer.padding!r}; use 'valid'")
    axes = zip(shape[:-1], size, strides, strict=True)
    number = tuple((length - window) // stride + 1 for length, window, stride in axes)
    return _Windows(size, strides, number)


def _max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    windows = _windows(layer, shape)
    if len(shape) == 3:
        yield from _largest(layer, windows, shape)
        return
    column = _Windows(*((along[0], 1) for along in windows))
    yield as_image(layer, shape)
    yield from _largest(layer, column, (shape[0], 1, shape[1]))
    yield as_sequence(layer, windows.number[0], shape[1])


def _largest(layer: Any, windows: _Windows, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yields the largest of each window; those that overlap are brought side by side before."""
    (height, width), (rows, columns) = windows.size, windows.number
    if windows.strides == windows.size:
        yield MaxPool2D(layer.name, size=(height, width))
        return
    channels = shape[2]
    kernel = np.eye(height * width * channels).reshape(height, width, channels, -1)
    one, zeros = grid_of([-1.0, 1.0]), np.zeros(height * width * channels)
    strides = (windows.strides[0], windows.strides[1])
    yield Conv2D(
        f"{layer.name}_windows",
        kernel=kernel,
        bias=zeros,
        kernel_type=one,
        bias_type=one,
        padding="valid",
        strides=strides,
    )
    yield Reshape(f"{layer.name}_in", shape=(rows, columns * height * width, channels))
    yield MaxPool2D(layer.name, size=(1, height * width))


def _global_max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    if len(shape) == 2:
        yield as_image(layer, shape)
        shape = (shape[0], 1, shape[1])
    yield MaxPool2D(layer.name, size=(shape[0], shape[1]))
    yield Reshape(f"{layer.name}_flat", shape=_global_shape(layer, shape))


def _global_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    keep = getattr(layer, "keepdims", False)
    return (*((1,) * (len(shape) - 1) if keep else ()), shape[-1])


def _mean_pooling(
    layer: Any, shape: tuple[int, ...], inexact: FixedPoint | None
) -> Iterator[UnaryLayer]:
    whole = "Global" in type(layer).__name__
    ones = (1,) * (len(shape) - 1)
    size, strides, counts = _Windows(shape[:-1], ones, ones) if whole else _windows(layer, shape)
    share = 1.0 / math.prod(size)
    exact = math.frexp(share)[0] == 0.5
    if not exact and inexact is None:
        refuse(
            layer,
            f"dividing by the {math.prod(size)} numbers of a window is not exact; use a window "
            "of a power of two, or the largest value",
        )
    quantizer = getattr(layer, "average_quantizer_internal", None)
    if quantizer is not None:
        share = float(np.asarray(quantizer(share)))
    n_in, n_out = math.prod(shape), math.prod(counts) * shape[-1]
    if n_in * n_out > _MEAN_LIMIT:
        refuse(layer, f"a mean of {n_in} numbers to {n_out} is too large; pool step by step")
    if share == 0:
        refuse(layer, "its average_quantizer has no number but zero for the share of one")
    kernel = np.zeros((n_in, n_out))
    for out in np.ndindex(*counts, shape[-1]):
        to = int(np.ravel_multi_index(out, (*counts, shape[-1])))
        for offset in np.ndindex(*size):
            place = [o * stride + d for o, stride, d in zip(out, strides, offset, strict=False)]
            kernel[np.ravel_multi_index((*place, out[-1]), shape), to] = share
    zeros = np.zeros(n_out)
    kind = grid_of([-share, share]) if exact or inexact is None else inexact
    yield Reshape(f"{layer.name}_in", shape=(n_in,))
    yield Dense(layer.name, kernel=kernel, bias=zeros, kernel_type=kind, bias_type=kind)
    found = _global_shape(layer, shape) if whole else (*counts, shape[-1])
    if found != (n_out,):
        yield Reshape(f"{layer.name}_out", shape=found)


def _up_sampling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    if len(shape) == 2:
        times = int(layer.size)
        yield as_image(layer, shape)
        yield UpSample2D(layer.name, size=(times, 1))
        yield as_sequence(layer, shape[0] * times, shape[1])
        return
    if layer.interpolation != "nearest":
        refuse(layer, f"has interpolation={layer.interpolation!r}; use 'nearest'")
    yield UpSample2D(layer.name, size=tuple(layer.size))


def _zero_padding(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    if len(shape) == 2:
        left, right = layer.padding
        yield as_image(layer, shape)
        yield ZeroPad2D(layer.name, margins=((left, right), (0, 0)))
        yield as_sequence(layer, shape[0] + left + right, shape[1])
        return
    (top, bottom), (left, right) = layer.padding
    yield ZeroPad2D(layer.name, margins=((top, bottom), (left, right)))


MEANS = (
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
)
_QUANTIZED_MEANS = ("QAveragePooling2D", "QGlobalAveragePooling2D")
_READERS: dict[str, Callable[[Any, tuple[int, ...]], Iterator[UnaryLayer]]] = {
    "Flatten": _reshape,
    "Reshape": _reshape,
    "MaxPooling1D": _max_pooling,
    "MaxPooling2D": _max_pooling,
    "GlobalMaxPooling1D": _global_max_pooling,
    "GlobalMaxPooling2D": _global_max_pooling,
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
}
SHAPE_LAYERS = (*_READERS, *MEANS)
