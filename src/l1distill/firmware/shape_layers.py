"""Reads the layers without weights of their own, which Keras and QKeras share."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from l1distill.firmware.fixed_point import FixedPoint, grid_of
from l1distill.firmware.keras_graph import refuse
from l1distill.firmware.layers import (
    Dense,
    MaxPool2D,
    Reshape,
    Span,
    Unary,
    UpSample2D,
    ZeroPad2D,
)

_MEAN_LIMIT = 2**20
"""Most elements of the matrix that a mean is computed with."""


def read_shape_layer(
    layer: Any, tensor: Span | None, inexact: FixedPoint | None = None
) -> Iterator[Unary]:
    """Reads one of :data:`SHAPE_LAYERS`.

    Args:
        layer: the layer.
        tensor: what goes in.
        inexact: the type of shares that are on no grid, where somebody will round them; ``None``
            to refuse them.

    Returns:
        What it does; nothing where the shape stays the same.

    Raises:
        InputError: an option of it is not supported.
    """
    assert tensor is not None
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        refuse(layer, "has data_format='channels_first'; use 'channels_last'")
    name = type(layer).__name__
    if name in MEANS or name in _QUANTISED_MEANS:
        yield from _mean_pooling(layer, tensor.shape, inexact)
    else:
        yield from _READERS[name](layer, tensor.shape)


def as_image(layer: Any, shape: tuple[int, ...]) -> Reshape:
    """Returns the view of a sequence, (steps, channels), as an image one column wide."""
    return Reshape(f"{layer.name}_image", (shape[0], 1, shape[1]))


def as_sequence(layer: Any, steps: int, channels: int) -> Reshape:
    """Returns the way back from :func:`as_image`."""
    return Reshape(f"{layer.name}_sequence", (steps, channels))


def _reshape(layer: Any, shape: tuple[int, ...]) -> Iterator[Unary]:
    size = math.prod(shape)
    target: tuple[int, ...] = (size,)
    if type(layer).__name__ == "Reshape":
        target = np.empty(size).reshape(layer.target_shape).shape
    if target != shape:
        yield Reshape(layer.name, target)


def _window(layer: Any) -> tuple[int, ...]:
    size = tuple(np.atleast_1d(layer.pool_size).tolist())
    if tuple(np.atleast_1d(layer.strides).tolist()) != size:
        refuse(layer, f"has strides={layer.strides} unlike pool_size={layer.pool_size}")
    if layer.padding != "valid":
        refuse(layer, f"has padding={layer.padding!r}; use 'valid'")
    return size


def _max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[Unary]:
    size = _window(layer)
    if len(size) == 2:
        yield MaxPool2D(layer.name, (size[0], size[1]))
        return
    yield as_image(layer, shape)
    yield MaxPool2D(layer.name, (size[0], 1))
    yield as_sequence(layer, shape[0] // size[0], shape[1])


def _global_max_pooling(layer: Any, shape: tuple[int, ...]) -> Iterator[Unary]:
    if len(shape) == 2:
        yield as_image(layer, shape)
        shape = (shape[0], 1, shape[1])
    yield MaxPool2D(layer.name, (shape[0], shape[1]))
    yield Reshape(f"{layer.name}_flat", _global_shape(layer, shape))


def _global_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    keep = getattr(layer, "keepdims", False)
    return (*((1,) * (len(shape) - 1) if keep else ()), shape[-1])


def _mean_pooling(
    layer: Any, shape: tuple[int, ...], inexact: FixedPoint | None
) -> Iterator[Unary]:
    whole = "Global" in type(layer).__name__
    size = shape[:-1] if whole else _window(layer)
    counts = [length // window for length, window in zip(shape[:-1], size, strict=True)]
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
            place = [o * window + d for o, window, d in zip(out, size, offset, strict=False)]
            kernel[np.ravel_multi_index((*place, out[-1]), shape), to] = share
    zeros = np.zeros(n_out)
    kind = grid_of([-share, share]) if exact or inexact is None else inexact
    yield Reshape(f"{layer.name}_in", (n_in,))
    yield Dense(layer.name, kernel, zeros, kind, kind)
    found = _global_shape(layer, shape) if whole else (*counts, shape[-1])
    if found != (n_out,):
        yield Reshape(f"{layer.name}_out", found)


def _up_sampling(layer: Any, shape: tuple[int, ...]) -> Iterator[Unary]:
    if len(shape) == 2:
        times = int(layer.size)
        yield as_image(layer, shape)
        yield UpSample2D(layer.name, (times, 1))
        yield as_sequence(layer, shape[0] * times, shape[1])
        return
    if layer.interpolation != "nearest":
        refuse(layer, f"has interpolation={layer.interpolation!r}; use 'nearest'")
    yield UpSample2D(layer.name, tuple(layer.size))


def _zero_padding(layer: Any, shape: tuple[int, ...]) -> Iterator[Unary]:
    if len(shape) == 2:
        left, right = layer.padding
        yield as_image(layer, shape)
        yield ZeroPad2D(layer.name, ((left, right), (0, 0)))
        yield as_sequence(layer, shape[0] + left + right, shape[1])
        return
    (top, bottom), (left, right) = layer.padding
    yield ZeroPad2D(layer.name, ((top, bottom), (left, right)))


MEANS = (
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
)
_QUANTISED_MEANS = ("QAveragePooling2D", "QGlobalAveragePooling2D")
_READERS: dict[str, Callable[[Any, tuple[int, ...]], Iterator[Unary]]] = {
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
