"""The objective: by what a candidate has to be better than the champion to replace it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.registry.evidence import Evidence
from l1distill.registry.intervals import interval_of, is_number


class Objective(Settings):
    """What decides between two students that both pass all gates: the mean of some metrics."""

    metrics: list[str] = Field(min_length=1)
    """Metrics whose mean is compared, as in ``metrics.json``."""
    goal: Literal["maximize", "minimize"] = "maximize"
    """Whether more is better, or less."""
    sigmas: float = Field(default=1.0, ge=0)
    """Standard errors of the difference by which a candidate must be better."""
    exact: bool = False
    """Take a metric without an interval as exact, such as a count; else it decides nothing."""
    across_data_sets: bool = False
    """Compare students that were measured on different data sets, too."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate against champion on the objective."""

    candidate: float | None
    """Mean of the metrics; None if they do not allow the comparison."""
    champion: float | None
    gain: float | None
    """By how much the candidate is better; below zero if it is worse."""
    needed: float | None
    """The gain that is more than the uncertainty."""
    better: bool
    reason: str
    """The comparison in words."""


def compare_with_champion(
    objective: Objective, candidate: Evidence, champion: Evidence
) -> Comparison:
    """Compare a candidate with the champion.

    The errors of several metrics are added as if they always went the same way, and those of
    candidate and champion as if they were independent: both overestimate the uncertainty of
    students that were measured on the same events.

    Args:
        objective: by what.
        candidate: its evidence.
        champion: that of the champion.
    """
    if candidate.dataset_md5 != champion.dataset_md5 and not objective.across_data_sets:
        return _undecided(
            "the champion was measured on another data set "
            f"({champion.dataset_md5[:8]}, not {candidate.dataset_md5[:8]}); "
            "objective.across_data_sets=true compares them"
        )
    values, errors = [], []
    for name, metrics in (("candidate", candidate.metrics), ("champion", champion.metrics)):
        try:
            value, uncertainty = _mean(objective, metrics)
        except ValueError as error:
            return _undecided(f"{error} of the {name}")
        values.append(value)
        errors.append(uncertainty)
    gain = values[0] - values[1] if objective.goal == "maximize" else values[1] - values[0]
    needed = objective.sigmas * math.hypot(*errors)
    better = gain > needed
    relation = "better" if gain > 0 else "worse" if gain < 0 else "better or worse"
    much = f"{abs(gain):.4g} {relation}" if gain else f"not {relation}"
    reason = f"{objective_name(objective)} is {values[0]:.4g}, {much} than the champion's"
    if gain > 0:
        outcome = "more" if better else "not more"
        reason += f": {outcome} than the uncertainty of {needed:.2g}"
    return Comparison(
        candidate=values[0],
        champion=values[1],
        gain=gain,
        needed=needed,
        better=better,
        reason=reason,
    )


def objective_name(objective: Objective) -> str:
    """Return the objective in words."""
    if len(objective.metrics) == 1:
        return objective.metrics[0]
    return f"the mean of {', '.join(objective.metrics)}"


def _mean(objective: Objective, metrics: Mapping[str, float]) -> tuple[float, float]:
    """Return the mean of the metrics and its standard error.

    Raises:
        ValueError: a metric or its interval is missing; the message is the beginning of a sentence.
    """
    values, errors = [], []
    for name in objective.metrics:
        value = metrics.get(name)
        if not is_number(value):
            raise ValueError(f"there is no finite {name}")
        interval = interval_of(metrics, name)
        if interval is None and not objective.exact:
            raise ValueError(f"there is no interval of {name} (objective.exact=true needs none)")
        values.append(value)
        errors.append(0.0 if interval is None else interval.width / 2)
    return math.fsum(values) / len(values), math.fsum(errors) / len(errors)


def _undecided(reason: str) -> Comparison:
    return Comparison(
        candidate=None, champion=None, gain=None, needed=None, better=False, reason=reason
    )
