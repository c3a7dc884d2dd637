"""The settings by which students are judged: what a file of ``conf/gates/`` holds."""

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.registry.decision import Decision, Rules, decide
from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.objective import Objective
from l1distill.tracking.promotion import Standing


class RulesSettings(Settings):
    """Gates and objective."""

    gates: dict[str, Gate] = Field(min_length=1)
    """Conditions that all must be met, by their name."""
    objective: Objective | None = None
    """By what a student must be better than the champion; null leaves the champion in place."""
    gate_profile: str = ""
    """Name of this set of gates, for the registry."""

    @property
    def rules(self) -> Rules:
        """What a decision needs of them."""
        return Rules(gates=self.gates, objective=self.objective, profile=self.gate_profile)


def judge_by(rules: Rules, candidate: Evidence, standing: Standing) -> Decision:
    """Decide what becomes of a candidate, given who is champion."""
    return decide(
        rules,
        candidate,
        standing.evidence,
        has_champion=standing.version is not None,
        set_back=standing.set_back,
    )
