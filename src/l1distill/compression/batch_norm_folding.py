"""Folds batch normalization in floating point into the linear layers around it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from l1distill.compression.float_layers import Step
from l1distill.compression.rounding import needs_rounding
from l1distill.firmware.network.layers import Affine, Conv2D, Dense


def fold_batch_normalization(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with batch normalization folded into linear layers, as far as it can be.

    Args:
        steps: one after the other, their constants in floating point.

    Returns:
        Steps that compute the same; see
        :func:`l1distill.compression.ptq.post_training_quantize` for what remains.
    """
    folded: list[Step] = []
    remaining = list(steps)
    while remaining:
        step = remaining.pop(0)
        before = folded[-1] if folded else None
        after = remaining[0] if remaining else None
        if not isinstance(step, Affine) or not needs_rounding(step):
            folded.append(step)
        elif isinstance(before, Dense | Conv2D) and needs_rounding(before):
            folded[-1] = replace(
                before,
                kernel=before.kernel * step.scale,
                bias=before.bias * step.scale + step.offset,
            )
        else:
            magnitude = np.where(step.scale == 0, 1.0, np.abs(step.scale))
            powers = np.ldexp(1.0, np.round(np.log2(magnitude)).astype(int))
            rest = replace(step, name=f"{step.name}_rest", scale=step.scale / powers)
            if isinstance(before, Affine) and before.scale.shape == powers.shape:
                # one shift after another
                folded[-1] = Affine.exact(before.name, before.scale * powers)
            else:
                folded.append(Affine.exact(step.name, powers))
            is_padded = isinstance(after, Conv2D) and after.padding != "valid"
            if isinstance(after, Dense | Conv2D) and needs_rounding(after) and not is_padded:
                remaining[0] = _fold_into_next(rest, after)
            else:
                folded.append(rest)
    return tuple(folded)


def _fold_into_next(step: Affine, layer: Dense | Conv2D) -> Dense | Conv2D:
    """Return the layer that does the work of ``step`` in front of it as well."""
    kernel = layer.kernel * step.scale[:, None]
    offsets = layer.kernel * step.offset[:, None]
    bias = layer.bias + offsets.sum(axis=tuple(range(kernel.ndim - 1)))
    return replace(layer, kernel=kernel, bias=bias)
