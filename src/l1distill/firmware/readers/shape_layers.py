"""Reads the layers without weights of their own, which Keras and QKeras share."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Reshape, UnaryLayer, UpSample2D, ZeroPad2D
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.pooling import (
    MEANS,
    QUANTIZED_MEANS,
    read_global_max_pooling,
    read_max_pooling,
    read_mean_pooling,
    read_reduction,
)
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.wiring import (
    as_image,
    as_sequence,
    read_cropping,
    read_elements,
    read_permute,
    read_repeat_vector,
    read_selection,
)


def read_shape_layer(
    layer: Any, tensor: ValueRange, inexact_type: FixedPoint | None = None
) -> Iterator[UnaryLayer | Division]:
    """Yield the layers that compute one of :data:`SHAPE_LAYERS` or of QKeras' means.

    Args:
        layer: the layer.
        tensor: the value range of its input.
        inexact_type: the type of a mean's weights that are no powers of two, where the caller
            rounds them later; ``None`` for a :class:`.division.Division` of their sums.

    Returns:
        The layers; none where the shape stays the same.

    Raises:
        DataError: an option of it is not supported.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        refuse(layer, "has data_format='channels_first'; use 'channels_last'")
    name = type(layer).__name__
    if name in MEANS or name in QUANTIZED_MEANS:
        yield from read_mean_pooling(layer, tensor.shape, inexact_type)
    elif name == "Reduction":
        yield from read_reduction(layer, tensor.shape, inexact_type)
    else:
        yield from _READERS[name](layer, tensor.shape)


def _reshape(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    size = math.prod(shape)
    target: tuple[int, ...] = (size,)
    if type(layer).__name__ == "Reshape":
        target = np.empty(size).reshape(layer.target_shape).shape
    if target != shape:
        yield Reshape(layer.name, shape=target)


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


_READERS: dict[str, Callable[[Any, tuple[int, ...]], Iterator[UnaryLayer]]] = {
    "Flatten": _reshape,
    "Reshape": _reshape,
    "MaxPooling1D": read_max_pooling,
    "MaxPooling2D": read_max_pooling,
    "GlobalMaxPooling1D": read_global_max_pooling,
    "GlobalMaxPooling2D": read_global_max_pooling,
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "Permute": read_permute,
    "Cropping1D": read_cropping,
    "Cropping2D": read_cropping,
    "RepeatVector": read_repeat_vector,
    "SelectElements": read_selection,
    "Elements": read_elements,
}
SHAPE_LAYERS = (*_READERS, *MEANS, "Reduction")
