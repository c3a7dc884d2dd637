"""Reads Keras' ``Normalization``: the mean and variance that it has adapted to."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.readers.refusal import refuse

_EPSILON = 1e-7
"""Keras' own: a standard deviation is at least that."""


def normalization_constants(
    layer: Any, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scale and offset of each channel that a ``Normalization`` is.

    Args:
        layer: the layer.
        shape: of its input, without events.

    Raises:
        DataError: it has an option that is not supported, or has not been adapted.
    """
    if getattr(layer, "invert", False):
        refuse(layer, "has invert=True; leave it out")
    mean, variance = (np.asarray(value, dtype=np.float64) for value in (layer.mean, layer.variance))
    try:
        mean, variance = (np.broadcast_to(value, (1, *shape)) for value in (mean, variance))
    except ValueError:
        refuse(layer, f"its mean has the shape {mean.shape}; use axis=-1 or None")
    mean, variance = (value.reshape(-1, shape[-1]) for value in (mean, variance))
    if np.ptp(mean, axis=0).any() or np.ptp(variance, axis=0).any():
        refuse(layer, f"has axis={layer.axis}; use -1 or None")
    scale = 1 / np.maximum(np.sqrt(variance[0]), _EPSILON)
    return scale, -mean[0] * scale
