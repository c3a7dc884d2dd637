"""Reads a sum of decision trees: comparisons, a leaf of each tree, and their sum."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Affine,
    DecisionTrees,
    Dense,
    Quantize,
    Select,
    UnaryLayer,
)
from l1distill.firmware.network.value_range import Array, ValueRange
from l1distill.firmware.readers.refusal import refuse

_CARRY = FixedPoint(signed=False, integer=1, fraction=0, rounding="TRN", overflow="WRAP")
"""The type of a comparison that is the highest bit of a number from 0 to 2."""


def read_trees(layer: Any, tensor: ValueRange) -> Iterator[UnaryLayer]:
    """Yield the layers of a :class:`~l1distill.models.decision_trees.TreeEnsemble`.

    Comparisons of the same feature with the same threshold are made once.

    Args:
        layer: the layer.
        tensor: the value range of its input.

    Raises:
        DataError: its input is no vector, or its weights are not finite or out of range.
    """
    features, thresholds, leaves, offset = (np.asarray(values) for values in layer.get_weights())
    if len(tensor.shape) != 1:
        refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
    if not all(np.isfinite(values).all() for values in (thresholds, leaves, offset)):
        refuse(layer, "its thresholds or leaf values are not finite; train it anew")
    if features.min() < 0 or features.max() >= tensor.size:
        refuse(layer, f"compares a feature that its {tensor.size} inputs do not have")
    compared = np.stack([features.ravel(), _on_grid(features, thresholds, tensor).ravel()], axis=1)
    different, numbers = np.unique(compared, axis=0, return_inverse=True)
    columns = different[:, 0].astype(np.int64)
    yield Select(f"{layer.name}_features", indices=tuple(columns.tolist()), shape=columns.shape)
    yield _differences(f"{layer.name}_thresholds", columns, different[:, 1], tensor)
    yield Quantize(f"{layer.name}_comparisons", type=_CARRY)
    values = leaves.astype(np.float64)
    yield DecisionTrees(
        f"{layer.name}_leaves",
        nodes=tuple(map(tuple, numbers.reshape(features.shape).tolist())),
        leaves=values,
        leaves_type=grid_of(values),
    )
    kernel = np.tile(np.eye(layer.outputs), (len(leaves) // layer.outputs, 1))
    yield Dense.exact(layer.name, kernel, offset.astype(np.float64))


def _on_grid(features: Any, thresholds: Any, tensor: ValueRange) -> Array:
    """Return thresholds on the grid of the inputs, for which every input compares as before."""
    step = 2.0**-tensor.fraction
    floors = np.floor(thresholds.astype(np.float64) / step) * step
    result: Array = np.clip(floors, tensor.low[features] - step, tensor.high[features])
    return result


def _differences(name: str, columns: Any, thresholds: Array, tensor: ValueRange) -> Affine:
    """Return the layer that gives 1 or more where an input is larger, from 0 to 2.

    The comparison then is the highest bit alone, the carry of an adder.
    """
    step = 2.0**-tensor.fraction
    reach = (tensor.high - tensor.low + step)[columns]
    scale = 2.0 ** -np.ceil(np.log2(reach))
    return Affine.exact(name, scale, 1 - (thresholds + step) * scale)
