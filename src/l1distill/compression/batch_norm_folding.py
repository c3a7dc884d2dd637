"""Folds batch normalization in floating point into the linear layers around it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from l1distill.compression.float_layers import Activation, Step
from l1distill.compression.rounding import needs_rounding
from l1distill.firmware.network.fixed_point import grid_of
from l1distill.firmware.network.layers import (
    Affine,
    Conv2D,
    Dense,
    MaxPool2D,
    Reshape,
    UpSample2D,
)
from l1distill.firmware.network.value_range import Array
from l1distill.firmware.readers.untyped import FLOAT


def fold_batch_normalization(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with batch normalization folded into linear layers, as far as it can be.

    Args:
        steps: one after the other, their constants in floating point.

    Returns:
        Steps that compute the same. Where neither a layer before nor one behind can take a batch
        normalization, its scale is split: powers of two, which cost nothing, stay with the offset,
        and the factor that is left, between 0.7 and 1.4, goes into the linear layer behind the
        ReLU. Only where there is none it is multiplied.
    """
    folded: list[Step] = []
    remaining = list(steps)
    while remaining:
        step = remaining.pop(0)
        if not isinstance(step, Affine) or not needs_rounding(step):
            folded.append(step)
            continue
        place = _linear_before(folded, step)
        if place is not None:
            folded[place] = _fold_into_last(folded[place], step)
            if remaining and isinstance(remaining[0], Activation):
                # at the sums, which are rounded once then; what stands between moves numbers alone
                folded.insert(place + 1, remaining.pop(0))
            continue
        magnitude = np.where(step.scale == 0, 1.0, np.abs(step.scale))
        powers = np.ldexp(1.0, np.round(np.log2(magnitude)).astype(int))
        rest = replace(step, name=f"{step.name}_rest", scale=step.scale / powers)
        if _fold_forward(rest, remaining):
            _append_shift(folded, step.name, powers)
            continue
        factor = replace(rest, scale=magnitude / powers, offset=np.zeros_like(rest.offset))
        if _fold_forward(factor, remaining):
            shifted = np.sign(step.scale) * powers
            folded.append(
                Affine(
                    step.name,
                    scale=shifted,
                    offset=step.offset / factor.scale,
                    scale_type=grid_of(shifted),
                    offset_type=FLOAT,
                )
            )
            continue
        _append_shift(folded, step.name, powers)
        folded.append(rest)
    return tuple(folded)


def _append_shift(folded: list[Step], name: str, powers: Array) -> None:
    """Append a multiplication by powers of two, or let one that is last do it as well."""
    before = folded[-1] if folded else None
    if (
        isinstance(before, Affine)
        and before.scale.shape == powers.shape
        and not before.offset.any()
        and not needs_rounding(before)
    ):
        folded[-1] = Affine.exact(before.name, before.scale * powers)
    else:
        folded.append(Affine.exact(name, powers))


def _linear_before(folded: Sequence[Step], step: Affine) -> int | None:
    """Return the place of the linear layer whose results ``step`` scales channel by channel."""
    channels = step.scale.shape
    for place in reversed(range(len(folded))):
        before = folded[place]
        if isinstance(before, Dense | Conv2D):
            is_its_own = needs_rounding(before) and before.kernel.shape[-1:] == channels
            return place if is_its_own else None
        if isinstance(before, Reshape) and before.shape[-1:] == channels:
            continue  # channels stay channels if the layer before has as many
        if isinstance(before, UpSample2D) or _keeps_order(before, step):
            continue
        return None
    return None


def _keeps_order(layer: Step, step: Affine) -> bool:
    """Tell whether the largest of several numbers is scaled as each of them is."""
    return isinstance(layer, MaxPool2D) and bool(np.all(step.scale >= 0))


def _keeps_factor(layer: Step, step: Affine) -> bool:
    """Tell whether a positive factor can be multiplied before a layer as well as behind it."""
    is_factor = not step.offset.any() and bool(np.all(step.scale > 0))
    return is_factor and isinstance(layer, Activation)


def _fold_into_last(layer: Step, step: Affine) -> Dense | Conv2D:
    """Return the layer that does the work of ``step`` behind it as well."""
    assert isinstance(layer, Dense | Conv2D)
    return replace(
        layer, kernel=layer.kernel * step.scale, bias=layer.bias * step.scale + step.offset
    )


def _fold_forward(step: Affine, remaining: list[Step]) -> bool:
    """Fold ``step`` into the linear layer behind it, past layers that only move numbers.

    A positive factor without an offset passes ReLUs, too.

    Returns:
        Whether there is such a layer.
    """
    for place, after in enumerate(remaining):
        if isinstance(after, Dense | Conv2D):
            is_padded = isinstance(after, Conv2D) and after.padding != "valid"
            fits = after.kernel.shape[-2:-1] == step.scale.shape
            if is_padded or not fits or not needs_rounding(after):
                return False
            remaining[place] = _fold_into_next(step, after)
            return True
        if isinstance(after, Reshape):
            step = _reshaped(step, after.shape)
        elif not (
            isinstance(after, UpSample2D) or _keeps_order(after, step) or _keeps_factor(after, step)
        ):
            return False
    return False


def _reshaped(step: Affine, shape: tuple[int, ...]) -> Affine:
    """Return a scale and offset of each channel as they are behind a Reshape."""
    if step.scale.shape == shape[-1:]:
        return step
    times = math.prod(shape) // step.scale.size
    scale, offset = (np.tile(values.ravel(), times) for values in (step.scale, step.offset))
    return replace(step, scale=scale.reshape(shape), offset=offset.reshape(shape))


def _fold_into_next(step: Affine, layer: Dense | Conv2D) -> Dense | Conv2D:
    """Return the layer that does the work of ``step`` in front of it as well."""
    kernel = layer.kernel * step.scale[:, None]
    offsets = layer.kernel * step.offset[:, None]
    bias = layer.bias + offsets.sum(axis=tuple(range(kernel.ndim - 1)))
    return replace(layer, kernel=kernel, bias=bias)
