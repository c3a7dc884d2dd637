"""The functions of one number that straight pieces approximate."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from l1distill.firmware.network.value_range import Array


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of one number."""

    values: Callable[[Array], Array]
    steepest: float
    """Its largest slope."""
    signed: bool
    """Whether it has negative values."""
    integer: int | None = None
    """Beyond ``2**integer`` it is within a thousandth of its limits, which are 0 or -1, and 1; None
    where it grows without limit."""


def _sigmoid(x: Array) -> Array:
    result: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return result


def _softplus(x: Array) -> Array:
    result: Array = np.logaddexp(0.0, x)
    return result


def _gelu(x: Array) -> Array:
    half_normal = np.array([math.erf(value) for value in (x / math.sqrt(2)).ravel()])
    result: Array = 0.5 * x * (1 + half_normal.reshape(x.shape))
    return result


def elu(alpha: float, scale: float = 1.0) -> Function:
    """Return the function ``scale * x`` above zero, ``scale * alpha * (exp(x) - 1)`` below."""

    def values(x: Array) -> Array:
        result: Array = scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))
        return result

    return Function(values=values, steepest=scale * max(1.0, abs(alpha)), signed=True)


def clipped_relu(slope: float, threshold: float, most: float | None) -> Function:
    """Return Keras' ReLU with all its options.

    Args:
        slope: below the threshold, of the distance to it.
        threshold: from which on numbers stay as they are.
        most: the largest value; None for no limit.
    """

    def values(x: Array) -> Array:
        above = x if most is None else np.minimum(x, most)
        result: Array = np.where(x >= threshold, above, slope * (x - threshold))
        return result

    return Function(
        values=values, steepest=max(1.0, abs(slope)), signed=slope != 0 or threshold < 0
    )


def _hard_sigmoid(x: Array) -> Array:
    result: Array = np.clip(0.2 * x + 0.5, 0.0, 1.0)
    return result


_SELU = elu(1.6732632423543772, 1.0507009873554805)
_SWISH = Function(values=lambda x: x * _sigmoid(x), steepest=1.1, signed=True)
FUNCTIONS: Mapping[str, Function] = {
    "sigmoid": Function(values=_sigmoid, steepest=0.25, integer=3, signed=False),
    "tanh": Function(values=np.tanh, steepest=1.0, integer=2, signed=True),
    "hard_sigmoid": Function(values=_hard_sigmoid, steepest=0.2, integer=2, signed=False),
    "elu": elu(1.0),
    "selu": _SELU,
    "softplus": Function(values=_softplus, steepest=1.0, signed=False),
    "swish": _SWISH,
    "silu": _SWISH,
    "gelu": Function(values=_gelu, steepest=1.13, signed=True),
    "relu6": clipped_relu(0.0, 0.0, 6.0),
}
"""By the name that Keras has for each."""
