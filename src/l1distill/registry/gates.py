"""Compare metrics with the thresholds (gates) that a student must meet to be promoted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import model_validator

from l1distill.core.settings import Settings


class Gate(Settings):
    """One threshold on one metric; a value at a bound passes."""

    metric: str
    """The metric's name, as in ``metrics.json``."""
    min: float | None = None
    """Smallest value that passes; null for no bound."""
    max: float | None = None
    """Largest value that passes; null for no bound."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> "Gate":
        if self.min is None and self.max is None:
            raise ValueError("a gate needs min, max or both, or it lets everything through")
        return self

    @property
    def threshold(self) -> str:
        """The condition, as a person writes it."""
        parts = []
        if self.min is not None:
            parts.append(f"≥ {self.min:g}")
        if self.max is not None:
            parts.append(f"≤ {self.max:g}")
        return " and ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one gate says."""

    gate: str
    metric: str
    value: float | None
    """What was measured; None if nothing was, or not a finite number."""
    threshold: str
    passed: bool
    reason: str
    """Why it failed; empty if it passed."""


def judge(gates: Mapping[str, Gate], metrics: Mapping[str, float]) -> list[Verdict]:
    """Compare measured metrics with the gates.

    Args:
        gates: by their name.
        metrics: what was measured.

    Returns:
        A verdict for each gate, in their order. A metric that is missing, NaN or infinite fails.
    """
    return [_verdict(name, gate, metrics.get(gate.metric)) for name, gate in gates.items()]


def _verdict(name: str, gate: Gate, value: float | None) -> Verdict:
    if value is None:
        reason = f"{gate.metric} was not measured"
    elif not math.isfinite(value):
        reason = f"{gate.metric} is {value}"
        value = None
    elif gate.min is not None and value < gate.min:
        reason = f"{value:g} is below {gate.min:g}"
    elif gate.max is not None and value > gate.max:
        reason = f"{value:g} is above {gate.max:g}"
    else:
        reason = ""
    return Verdict(
        gate=name,
        metric=gate.metric,
        value=value,
        threshold=gate.threshold,
        passed=not reason,
        reason=reason,
    )
