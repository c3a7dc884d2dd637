"""Judge evidence by gates: a verdict for each, with value, interval, bounds and margin."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.intervals import Interval, interval_of, is_number


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one gate says."""

    gate: str
    metric: str
    value: float | None
    """What was measured; None if nothing was, or not a finite number."""
    interval: Interval | None
    """Its interval of 68.3%; None if none was measured."""
    threshold: str
    """The condition, as a person writes it."""
    min: float | None
    """Smallest value that passes, in units of the metric; None for no bound."""
    max: float | None
    """Largest value that passes."""
    margin: float | None
    """From the value to the nearer bound, in units of the metric; below zero beyond it."""
    passed: bool
    reason: str
    """Why it failed; empty if it passed on its merits, else why it passed without."""


def judge(
    gates: Mapping[str, Gate],
    metrics: Mapping[str, float] | Evidence,
    champion: Evidence | None = None,
) -> list[Verdict]:
    """Judge what was measured of a student by the gates.

    Args:
        gates: by their name.
        metrics: what was measured; evidence also knows the teacher, and what is an estimate.
        champion: evidence of the present champion, if there is one.

    Returns:
        A verdict for each gate, in their order. A metric that is missing, NaN or infinite fails,
        and so does one without the interval, provenance or number of vectors that is asked for.
    """
    evidence = (
        metrics
        if isinstance(metrics, Evidence)
        else Evidence(content_sha256="", dataset_md5="", metrics=metrics)
    )
    return [_verdict(name, gate, evidence, champion) for name, gate in gates.items()]


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A bound in units of the metric, and its standard error where it is relative."""

    value: float
    error: float


def _verdict(name: str, gate: Gate, evidence: Evidence, champion: Evidence | None) -> Verdict:
    gate = gate.judged_on(evidence.metrics)
    value = evidence.metrics.get(gate.metric)
    interval = interval_of(evidence.metrics, gate.metric)
    reference, error, missing = _reference(gate, evidence, champion)
    low, high = (
        None if missing else _bound(gate, bound, reference, error) for bound in (gate.min, gate.max)
    )
    reason, passed = _unproven(gate, evidence, value), False
    if not reason and missing:
        reason, passed = missing, gate.relative_to == "champion" and champion is None
    elif not reason:
        assert value is not None
        reason = _beyond(value, low, high) or _unsupported(gate, value, interval, low, high)
        passed = not reason
    return Verdict(
        gate=name,
        metric=gate.metric,
        value=value if is_number(value) else None,
        interval=interval,
        threshold=gate.threshold,
        min=None if low is None else low.value,
        max=None if high is None else high.value,
        margin=_margin(value, low, high),
        passed=passed,
        reason=reason,
    )


def _reference(
    gate: Gate, evidence: Evidence, champion: Evidence | None
) -> tuple[float | None, float, str]:
    """Return what the bounds are relative to, its standard error, and why there is none."""
    if gate.relative_to is None:
        return None, 0.0, ""
    name = gate.reference_metric or gate.metric
    metrics = evidence.teacher_metrics if gate.relative_to == "teacher" else evidence.metrics
    if gate.relative_to == "champion":
        if champion is None:
            return None, 0.0, "there is no champion to compare with"
        metrics = champion.metrics
    value = metrics.get(name)
    if not is_number(value):
        return None, 0.0, f"{name} of the {gate.relative_to} was not measured"
    interval = interval_of(metrics, name)
    return value, interval.width / 2 if interval else 0.0, ""


def _bound(gate: Gate, bound: float | None, reference: float | None, error: float) -> _Bound | None:
    if bound is None:
        return None
    if reference is None:
        return _Bound(value=bound, error=0.0)
    if gate.relation == "ratio":
        return _Bound(value=bound * reference, error=abs(bound) * error)
    return _Bound(value=reference + bound, error=error)


def _unproven(gate: Gate, evidence: Evidence, value: float | None) -> str:
    """Return why the measurement does not count, whatever its value; empty if it does."""
    if value is None:
        return f"{gate.metric} was not measured"
    if not math.isfinite(value):
        return f"{gate.metric} is {value}"
    if gate.provenance == "measured" and evidence.provenance(gate.metric) != "measured":
        return f"{gate.metric} is an estimate and has to be measured"
    if gate.vectors is not None:
        vectors = evidence.vectors(gate.metric)
        if vectors is None or not vectors >= gate.vectors:
            compared = "an unknown number of" if vectors is None else f"{vectors:,.0f}"
            return f"{compared} events were compared, fewer than {gate.vectors:,}"
    return ""


def _beyond(value: float, low: _Bound | None, high: _Bound | None) -> str:
    if low is not None and value < low.value:
        return f"{value:g} is below {low.value:g}"
    if high is not None and value > high.value:
        return f"{value:g} is above {high.value:g}"
    return ""


def _unsupported(
    gate: Gate, value: float, interval: Interval | None, low: _Bound | None, high: _Bound | None
) -> str:
    """Return why the statistics do not carry the verdict; empty if they do, or need not."""
    if gate.sigmas is None and gate.max_width is None:
        return ""
    if interval is None:
        return f"{gate.metric} has no interval, and the gate asks for one"
    if gate.max_width is not None and interval.width > gate.max_width:
        return f"its interval is {interval.width:.3g} wide, wider than {gate.max_width:g}"
    for bound in (low, high):
        if bound is None or gate.sigmas is None:
            continue
        wide = interval.widened(value, gate.sigmas, bound.error)
        if wide.low < bound.value < wide.high:  # the value itself is on the right side
            ends = f"{wide.low:.4g} to {wide.high:.4g}"
            return f"its interval of {gate.sigmas:g} sigma, {ends}, crosses {bound.value:g}"
    return ""


def _margin(value: float | None, low: _Bound | None, high: _Bound | None) -> float | None:
    if not is_number(value):
        return None
    distances = [value - low.value] if low is not None else []
    distances += [high.value - value] if high is not None else []
    return min(distances, default=None)
