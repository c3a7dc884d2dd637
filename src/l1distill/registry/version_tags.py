"""Tags of a registered version: what became of it, and what each gate says."""

from l1distill.registry.decision import Decision
from l1distill.registry.judgment import Verdict


def verdict_tags(decision: Decision, profile: str) -> dict[str, str]:
    """Return a version's tags: the outcome with its reason, and each gate's verdict.

    Args:
        decision: what became of it.
        profile: name of the set of gates; empty if it has none.
    """
    return {
        "verdict": "passed" if decision.passed else "refused",
        "outcome": decision.outcome.value,
        "reason": decision.reason[:1000],
        "gate_profile": profile,
        **{f"gate.{verdict.gate}": describe(verdict) for verdict in decision.verdicts},
    }


def describe(verdict: Verdict) -> str:
    """Return a verdict as one line: outcome, value with interval, bounds and margin."""
    outcome = "passed" if verdict.passed else "refused"
    bounds = verdict.threshold
    if verdict.margin is not None:
        bounds += f"; margin {verdict.margin:.4g}"
    reason = f"; {verdict.reason}" if verdict.reason else ""
    return f"{outcome}: {value_of(verdict)} ({bounds}){reason}"


def value_of(verdict: Verdict) -> str:
    """Return the value of a verdict with its interval, as a person writes it."""
    if verdict.value is None:
        return "missing"
    value = f"{verdict.value:.6g}"
    if verdict.interval is None:
        return value
    return f"{value} [{verdict.interval.low:.4g}, {verdict.interval.high:.4g}]"
