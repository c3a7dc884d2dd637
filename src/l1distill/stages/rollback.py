"""rollback: make an earlier version champion again, if it still passes the gates."""

from pydantic import Field

from l1distill.core.errors import DataError, NegativeVerdict
from l1distill.registry.decision import Decision, Outcome
from l1distill.registry.evidence import Evidence
from l1distill.stages.command import Command, CommandSettings
from l1distill.stages.rules import RulesSettings, judge_by
from l1distill.tracking.history import current_actor
from l1distill.tracking.promotion import Standing, promoter
from l1distill.tracking.proof import prove_version
from l1distill.tracking.registry import ModelRegistry
from l1distill.tracking.rollback import roll_back
from l1distill.tracking.store import connect_to_existing
from l1distill.tracking.store_errors import store_errors_as_one_line


class Settings(RulesSettings, CommandSettings):
    """Settings of ``l1distill rollback``."""

    version: int | None = Field(default=None, ge=1)
    """Version that becomes champion; null for the champion before the present one."""
    reason: str = "rolled back by hand"
    """Why, for the history of the registered model and the tags of the version that was champion.
    """


def _run(settings: Settings) -> None:
    name = settings.tracking.model_name

    def judge(evidence: Evidence, champion: Standing) -> Decision:
        return judge_by(settings.rules, evidence, champion)

    with store_errors_as_one_line():
        client = connect_to_existing(settings.tracking)
        if client is None:
            raise DataError(f"{name}: there is no tracking store yet; promote a student first")
        registry = ModelRegistry(client, name)
        version = None if settings.version is None else str(settings.version)
        with promoter(registry, current_actor(), prove_version) as one:
            before, after, decision = roll_back(one, version, settings.reason, judge)
    if decision.outcome is not Outcome.CHAMPION:
        raise NegativeVerdict(
            f"{registry.name}: version {after} is not made champion: {decision.reason}; version "
            f"{before} stays"
        )
    print(f"{registry.name} version {after} is champion, version {before} was: {settings.reason}")


COMMAND = Command(name="rollback", settings=Settings, run=_run)
