"""Statistical intervals of metrics, found by the names that the evaluation gives them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard


def is_number(value: float | None) -> TypeGuard[float]:
    """Return whether something was measured, and is finite."""
    return value is not None and math.isfinite(value)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval of 68.3% about a measured value, which is one standard error on each side."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low

    def widened(self, value: float, sigmas: float, further: float = 0.0) -> "Interval":
        """Return the interval of more or fewer standard errors.

        Args:
            value: that the interval is about.
            sigmas: how many standard errors.
            further: another standard error that is added in quadrature.
        """
        below = sigmas * math.hypot(value - self.low, further)
        above = sigmas * math.hypot(self.high - value, further)
        return Interval(low=value - below, high=value + above)


def interval_of(metrics: Mapping[str, float], name: str) -> Interval | None:
    """Find the interval of a metric among the other metrics.

    ``auc/a_4l`` has its standard error in ``auc_error/a_4l``, ``tpr_fpr1e-3/a_4l`` the ends of its
    interval in ``tpr_fpr1e-3_low/a_4l`` and ``tpr_fpr1e-3_high/a_4l``; any metric may have either.

    Args:
        metrics: everything that was measured.
        name: of the metric.

    Returns:
        The interval; None if there is none, or one that does not hold the value.
    """
    value = metrics.get(name)
    if not is_number(value):
        return None
    error = _sibling(metrics, name, "_error")
    if error is not None:
        return Interval(low=value - error, high=value + error) if error >= 0 else None
    low, high = _sibling(metrics, name, "_low"), _sibling(metrics, name, "_high")
    if low is None or high is None or not low <= value <= high:
        return None
    return Interval(low=low, high=high)


def _sibling(metrics: Mapping[str, float], name: str, suffix: str) -> float | None:
    """Return the finite metric whose name has the suffix behind one of its parts."""
    parts = name.split("/")
    for at in range(len(parts)):
        sibling = "/".join([*parts[:at], parts[at] + suffix, *parts[at + 1 :]])
        value = metrics.get(sibling)
        if is_number(value):
            return value
    return None
