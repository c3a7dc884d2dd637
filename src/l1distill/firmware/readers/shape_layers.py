"""Reads the layers without weights of their own, which Keras and QKeras share."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

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
    layer: Any, tensor: ValueRange, inexact_type: FixedPoint | None = None
) -> Iterator[UnaryLayer]:
    """Yield the layers that compute one of :data:`SHAPE_LAYERS` or of QKeras' means.

    Args:
        layer: the layer.
        tensor: the value range of its input.
        inexact_type: the type of a mean's weights that are no powers of two, where the caller
            rounds them later; ``None`` to refuse them.

    Returns:
        The layers; none where the shape stays the same.

    Raises:
        DataError: an option of it is not supported.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        refuse(layer, "has data_format='channels_first'; use 'channels_last'")
    name = type(layer).__name__
    if name in MEANS or name in _QUANTIZED_MEANS:
        yield from _mean_pooling(layer, tensor.shape, inexact_type)
    else:
        yield from _READERS[name](layer, tensor.shape)


def as_image(layer: Any, shape: tuple[int, ...]) -> Reshape:
    """Return the view of a sequence, (steps, channels), as an image one column wide."""
    return Reshape(f"{layer.name}_image", shape=(shape[0], 1, shape[1]))


def as_sequence(layer: Any, steps: int, channels: int) -> Reshape:
    """Return the way back from :func:`as_image`."""
    return Reshape(f"{layer.name}_sequence", shape=(steps, channels))


def _reshape(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    size = math.prod(shape)
    target: tuple[int, ...] = (size,)
    if type(layer).__name__ == "Reshape":
        target = np.empty(size).reshape(layer.target_shape).shape
    if target != shape:
        yield Reshape(layer.name, shape=target)


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """Where the windows of a pooling layer are, along each axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    number: tuple[int, ...]

    @classmethod
    def of(cls, layer: Any, shape: tuple[int, ...]) -> "_Windows":
        """Return the windows of a layer on an input of (..., channels)."""
        size = tuple(np.atleast_1d(layer.pool_size).tolist())
        strides = tuple(np.atleast_1d(layer.strides).tolist())
        if layer.padding != "valid":
            refuse(layer, f"has padding={layer.padding!r}; use 'valid'")
        axes = zip(shape[:-1], size, strides, strict=True)
        number = tuple((length - window) // stride + 1 for length, window, stride in axes)
        return cls(size=size, strides=strides, number=number)

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> "_Windows":
        """Return a single window over all of an input of (..., channels)."""
        ones = (1,) * (len(shape) - 1)
        return cls(size=shape[:-1], strides=ones, number=ones)


def _max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    windows = _Windows.of(layer, shape)
    if len(shape) == 3:
        yield from _max_of_windows(layer, windows, shape)
        return
    column = _Windows(
        size=(*windows.size, 1), strides=(*windows.strides, 1), number=(*windows.number, 1)
    )
    yield as_image(layer, shape)
    yield from _max_of_windows(layer, column, (shape[0], 1, shape[1]))
    yield as_sequence(layer, windows.number[0], shape[1])


def _max_of_windows(layer: Any, windows: _Windows, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the largest of each window; a convolution copies those that overlap side by side."""
    (height, width), (rows, columns) = windows.size, windows.number
    if windows.strides == windows.size:
        yield MaxPool2D(layer.name, size=(height, width))
        return
    channels = shape[2]
    copies = height * width * channels
    one = grid_of([-1.0, 1.0])
    yield Conv2D(
        f"{layer.name}_windows",
        kernel=np.eye(copies).reshape(height, width, channels, -1),
        bias=np.zeros(copies),
        kernel_type=one,
        bias_type=one,
        strides=(windows.strides[0], windows.strides[1]),
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
    layer: Any, shape: tuple[int, ...], inexact_type: FixedPoint | None
) -> Iterator[UnaryLayer]:
    is_global = "Global" in type(layer).__name__
    windows = _Windows.whole(shape) if is_global else _Windows.of(layer, shape)
    share = 1.0 / math.prod(windows.size)
    is_exact = math.frexp(share)[0] == 0.5
    if not is_exact and inexact_type is None:
        refuse(
            layer,
            f"dividing by the {math.prod(windows.size)} numbers of a window is not exact; use a "
            "window of a power of two, or the largest value",
        )
    quantizer = getattr(layer, "average_quantizer_internal", None)
    if quantizer is not None:
        share = float(np.asarray(quantizer(share)))
    shape_out = (*windows.number, shape[-1])
    n_in, n_out = math.prod(shape), math.prod(shape_out)
    if n_in * n_out > _MEAN_LIMIT:
        refuse(layer, f"a mean of {n_in} numbers to {n_out} is too large; pool step by step")
    if share == 0:
        refuse(layer, "its average_quantizer has no number but zero for the share of one")
    share_type = grid_of([-share, share]) if is_exact or inexact_type is None else inexact_type
    yield Reshape(f"{layer.name}_in", shape=(n_in,))
    yield Dense(
        layer.name,
        kernel=share * _terms_of_means(windows, shape),
        bias=np.zeros(n_out),
        kernel_type=share_type,
        bias_type=share_type,
    )
    if is_global:
        shape_out = _global_shape(layer, shape)
    if shape_out != (n_out,):
        yield Reshape(f"{layer.name}_out", shape=shape_out)


def _terms_of_means(windows: _Windows, shape: tuple[int, ...]) -> Any:
    """Return (n_in, n_out): 1 where a flattened input is in the window of a flattened output."""
    shape_out = (*windows.number, shape[-1])
    terms = np.zeros((math.prod(shape), math.prod(shape_out)))
    for out in np.ndindex(*shape_out):
        column = int(np.ravel_multi_index(out, shape_out))
        for offset in np.ndindex(*windows.size):
            axes = zip(out, windows.strides, offset, strict=False)
            place = [position * stride + step for position, stride, step in axes]
            terms[np.ravel_multi_index((*place, out[-1]), shape), column] = 1.0
    return terms


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
