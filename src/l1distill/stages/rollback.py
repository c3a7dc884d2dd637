"""rollback: make an earlier version champion again, if it still passes the gates."""

from functools import partial

from pydantic import Field

from l1distill.core.errors import NegativeVerdict
from l1distill.registry.decision import Outcome
from l1distill.stages.command import Command, CommandSettings
from l1distill.stages.rules import RulesSettings, judge_by
from l1distill.tracking.history import current_actor
from l1distill.tracking.promotion import promoter
from l1distill.tracking.proof import prove_version
from l1distill.tracking.registry import open_registry
from l1distill.tracking.rollback import roll_back
from l1distill.tracking.store_errors import store_errors_as_one_line


class Settings(RulesSettings, CommandSettings):
    """Settings of ``l1distill rollback``."""

    version: int | None = Field(default=None, ge=1)
    """Version that becomes champion; null for the champion before the present one."""
    reason: str = "rolled back by hand"
    """Why, for the history of the registered model and the tags of the version that was champion.
    """


def _run(settings: Settings) -> None:
    judge = partial(judge_by, settings.rules)
    with store_errors_as_one_line():
        registry = open_registry(settings.tracking)
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
