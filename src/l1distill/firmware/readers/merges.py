"""Reads the layers that make one tensor of several."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l1distill.firmware.network.layers import (
    Add,
    Affine,
    BinaryLayer,
    Concatenate,
    Dense,
    MaxPool2D,
    Multiply,
    Reshape,
    Subtract,
    UnaryLayer,
)
from l1distill.firmware.readers.division import Division
from l1distill.firmware.readers.refusal import refuse
from l1distill.firmware.readers.wiring import broadcast

MERGE_LAYERS = (
    *("Add", "Subtract", "Multiply", "Concatenate"),
    *("Average", "Maximum", "Minimum", "Dot"),
)
"""Classes that take several tensors."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What makes one tensor of several."""

    before: tuple[tuple[UnaryLayer, ...], ...]
    """Of each tensor, what it goes through first."""
    layer: BinaryLayer
    """For two tensors; of more, it takes the result for those before and the next one."""
    after: tuple[UnaryLayer | Division, ...] = ()
    """What the result goes through."""

    def pairs(self) -> list[BinaryLayer]:
        """Return the layer for each tensor behind the first; the last one keeps its name."""
        last = len(self.before) - 1
        return [
            self.layer
            if number == last
            else replace(self.layer, name=f"{self.layer.name}_{number}")
            for number in range(1, len(self.before))
        ]


def read_merge(layer: Any, shapes: Sequence[tuple[int, ...]]) -> Merge:
    """Read one of :data:`MERGE_LAYERS`.

    Args:
        layer: the layer.
        shapes: of its inputs, without events.

    Raises:
        DataError: it concatenates events, or its tensors do not fit.
    """
    kind = type(layer).__name__
    if kind == "Concatenate":
        return _concatenate(layer, shapes)
    if kind == "Dot":
        return _dot(layer, shapes)
    target = _common_shape(layer, shapes)
    before = tuple(
        tuple(broadcast(f"{layer.name}_repeated_{number}", shape, target))
        for number, shape in enumerate(shapes)
    )
    if kind in ("Maximum", "Minimum"):
        return _extreme(layer, before, target, -1.0 if kind == "Minimum" else 1.0)
    merges: dict[str, BinaryLayer] = {
        "Add": Add(layer.name),
        "Subtract": Subtract(layer.name),
        "Multiply": Multiply(layer.name),
        "Average": Add(f"{layer.name}_sum"),
    }
    after: tuple[UnaryLayer | Division, ...] = ()
    if kind == "Average":
        counts = np.full(target[-1], float(len(shapes)))
        after = (Division(name=layer.name, counts=counts),)
    return Merge(before=before, layer=merges[kind], after=after)


def _common_shape(layer: Any, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which Keras repeats tensors: one of fewer axes begins with ones."""
    axes = max(len(shape) for shape in shapes)
    try:
        return np.broadcast_shapes(*((*(1,) * (axes - len(shape)), *shape) for shape in shapes))
    except ValueError:
        listed = " and ".join(map(str, sorted(set(shapes))))
        refuse(layer, f"takes tensors of the shapes {listed}, which cannot be repeated to one")


def _concatenate(layer: Any, shapes: Sequence[tuple[int, ...]]) -> Merge:
    axis = range(len(shapes[0]) + 1)[layer.axis] - 1
    if axis < 0:
        refuse(layer, "joins along the axis of the events")
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        refuse(layer, f"takes tensors of the shapes {' and '.join(map(str, shapes))}")
    return Merge(before=((),) * len(shapes), layer=Concatenate(layer.name, axis=axis))


def _extreme(
    layer: Any, before: tuple[tuple[UnaryLayer, ...], ...], shape: tuple[int, ...], sign: float
) -> Merge:
    """Return the largest of each element: a pooling of the tensors side by side."""
    size = math.prod(shape)
    column = Reshape(f"{layer.name}_column", shape=(size, 1, 1))
    turned = () if sign > 0 else (Affine.exact(f"{layer.name}_turned", np.full(1, sign)),)
    back = () if sign > 0 else (Affine.exact(f"{layer.name}_back", np.full(1, sign)),)
    return Merge(
        before=tuple((*layers, column) for layers in before),
        layer=Concatenate(f"{layer.name}_columns", axis=1),
        after=(
            *turned,
            MaxPool2D(layer.name, size=(1, len(before))),
            *back,
            Reshape(f"{layer.name}_shape", shape=shape),
        ),
    )


def _dot(layer: Any, shapes: Sequence[tuple[int, ...]]) -> Merge:
    """Return the scalar product of two vectors."""
    if any(len(shape) != 1 for shape in shapes) or layer.normalize:
        what = "normalize=True" if layer.normalize else f"tensors of the shapes {list(shapes)}"
        refuse(layer, f"has {what}; the product of two vectors is supported")
    return Merge(
        before=((), ()),
        layer=Multiply(f"{layer.name}_products"),
        after=(Dense.exact(layer.name, np.ones((shapes[0][0], 1))),),
    )
