"""Layers that move, repeat or leave out elements and compute nothing: crops, transposes, slices."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.layers import Reshape, Select, UnaryLayer
from l1distill.firmware.readers.refusal import refuse

Numbers = NDArray[np.int64]
"""The numbers of a tensor's elements, in the shape of the tensor without events."""


def as_image(layer: Any, shape: tuple[int, ...]) -> Reshape:
    """Return the view of a sequence, (steps, channels), as an image one column wide."""
    return Reshape(f"{layer.name}_image", shape=(math.prod(shape[:-1]), 1, shape[-1]))


def as_sequence(layer: Any, *shape: int) -> Reshape:
    """Return the way back from :func:`as_image`."""
    return Reshape(f"{layer.name}_sequence", shape=shape)


def rearranged(
    name: str, shape: tuple[int, ...], rearrange: Callable[[Numbers], Numbers]
) -> Iterator[UnaryLayer]:
    """Yield the layer that picks elements; none where every one stays in its place.

    Args:
        name: of the layer.
        shape: of its input.
        rearrange: from the numbers of the elements of the input to those of the results.
    """
    numbers = np.arange(math.prod(shape)).reshape(shape)
    chosen = rearrange(numbers)
    if not np.array_equal(chosen.ravel(), numbers.ravel()):
        yield Select(name, indices=tuple(chosen.ravel().tolist()), shape=chosen.shape)
    elif chosen.shape != shape:
        yield Reshape(name, shape=chosen.shape)


def broadcast(name: str, shape: tuple[int, ...], target: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer that repeats a tensor along axes of size 1, as arithmetic in Keras does.

    Keras takes a tensor of fewer axes for one whose first axes are 1.
    """
    wide = (*(1,) * (len(target) - len(shape)), *shape)
    yield from rearranged(name, shape, lambda x: np.broadcast_to(x.reshape(wide), target))


def input_slice(number: int, start: int, size: int, of: int) -> list[UnaryLayer]:
    """Return the layer that picks the ports of one of several inputs."""
    return list(rearranged(f"input_{number}", (of,), lambda x: x[start : start + size]))


def read_permute(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer of a ``Permute``, whose axes are counted from 1."""
    axes = [axis - 1 for axis in layer.dims]
    yield from rearranged(layer.name, shape, lambda x: x.transpose(axes))


def read_cropping(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer of a ``Cropping1D`` or ``Cropping2D``."""
    margins = [layer.cropping] if len(shape) == 2 else layer.cropping
    kept = tuple(
        slice(before, size - after) for (before, after), size in zip(margins, shape, strict=False)
    )
    yield from rearranged(layer.name, shape, lambda x: x[kept])


def read_repeat_vector(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer of a ``RepeatVector``."""
    yield from rearranged(layer.name, shape, lambda x: np.tile(x, (layer.n, 1)))


def read_selection(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer of a :class:`l1distill.models.select_elements.SelectElements`."""
    indices, target = np.asarray(layer.indices), layer.shape
    yield from rearranged(layer.name, shape, lambda x: x.ravel()[indices].reshape(target))


def read_elements(layer: Any, shape: tuple[int, ...]) -> Iterator[UnaryLayer]:
    """Yield the layer of an :class:`.operations.Elements`.

    Raises:
        DataError: it does something else than to give each event its own elements.
    """
    size = math.prod(shape)
    events = np.arange(2 * size).reshape(2, *shape)
    try:
        chosen = layer.rearrange(events)
    except (IndexError, TypeError, ValueError) as error:
        refuse(layer, f"does not fit a tensor of the shape {shape}: {error}")
    if chosen.shape[:1] != (2,) or not np.array_equal(chosen[0] + size, chosen[1]):
        refuse(layer, "mixes events, or depends on how many there are")
    yield from rearranged(layer.name, shape, lambda _: np.atleast_1d(chosen[0]))
