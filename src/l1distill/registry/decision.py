"""Decide what becomes of a candidate: champion, challenger, or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.judgment import Verdict, judge
from l1distill.registry.objective import Comparison, Objective, compare_with_champion


class Outcome(StrEnum):
    """What a candidate is from now on."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    REFUSED = "refused"
    CANDIDATE = "candidate"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """By what students are judged.

    Attributes:
        gates: that all must pass, by their name.
        objective: decides between students that pass; without one the champion stays.
        profile: name of the set of gates; empty if it has none.
    """

    gates: Mapping[str, Gate]
    objective: Objective | None = None
    profile: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of a candidate, and why.

    Attributes:
        outcome: what it is from now on.
        verdicts: of each gate.
        against_champion: the comparison; None where there was nothing to compare.
        reason: one line.
    """

    outcome: Outcome
    verdicts: Sequence[Verdict]
    against_champion: Comparison | None
    reason: str

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return all(verdict.passed for verdict in self.verdicts)


def as_candidate(verdicts: Sequence[Verdict]) -> Decision:
    """Return what the gates alone say: a candidate that passes them, or one that is refused.

    Args:
        verdicts: of each gate.
    """
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if not failed:
        return Decision(
            outcome=Outcome.CANDIDATE,
            verdicts=verdicts,
            against_champion=None,
            reason="it passes all gates; nothing is registered",
        )
    return Decision(
        outcome=Outcome.REFUSED,
        verdicts=verdicts,
        against_champion=None,
        reason=_failures(verdicts, failed),
    )


def _failures(verdicts: Sequence[Verdict], failed: Sequence[Verdict]) -> str:
    reasons = "; ".join(f"{verdict.gate}: {verdict.reason}" for verdict in failed)
    return f"{len(failed)} of {len(verdicts)} gates failed: {reasons}"


def decide(
    rules: Rules,
    candidate: Evidence,
    champion: Evidence | None,
    *,
    has_champion: bool | None = None,
    set_back: str = "",
) -> Decision:
    """Decide what becomes of a candidate.

    The first champion needs no baseline. A later one must pass all gates and be better on the
    objective by more than the uncertainty; else it is a challenger.

    Args:
        rules: gates and objective.
        candidate: its evidence.
        champion: that of the present champion, which may be the candidate itself; None if there is
            none, or none is known.
        has_champion: whether there is a champion; by default, whether there is evidence of one.
        set_back: why the candidate was rolled back, being champion; empty if it was not.
    """
    has_champion = champion is not None if has_champion is None else has_champion
    verdicts = judge(rules.gates, candidate, champion)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    comparison = None
    outcome = Outcome.CHALLENGER
    if failed:
        outcome = Outcome.REFUSED
        reason = _failures(verdicts, failed)
    elif champion is not None and champion.content_sha256 == candidate.content_sha256:
        outcome, reason = Outcome.CHAMPION, "it is champion already, and still passes"
    elif set_back:
        reason = f"it was rolled back ({set_back}); reinstate=true lets it compete again"
    elif not has_champion:
        outcome, reason = Outcome.CHAMPION, "it passes all gates, and there is no champion"
    elif champion is None:
        reason = "there is no evidence of what the champion can do"
    elif rules.objective is None:
        reason = "no objective says what makes it better than the champion (objective.metrics)"
    else:
        comparison = compare_with_champion(rules.objective, candidate, champion)
        outcome = Outcome.CHAMPION if comparison.better else Outcome.CHALLENGER
        reason = comparison.reason
    return Decision(outcome=outcome, verdicts=verdicts, against_champion=comparison, reason=reason)
