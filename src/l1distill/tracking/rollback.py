"""Roll back: make an earlier version of a registered model champion again."""

from l1distill.core.errors import DataError
from l1distill.registry.decision import Decision, Outcome
from l1distill.tracking.promotion import Judge, Move, Promoter, Standing, former_champions
from l1distill.tracking.registry import CHAMPION, ROLLED_BACK


def roll_back(
    one: Promoter, version: str | None, reason: str, judge: Judge
) -> tuple[str, str, Decision]:
    """Make an earlier version champion again.

    Args:
        one: holds the lock.
        version: which one; the champion before the present one if None.
        reason: why, for the history.
        judge: judges the version as it is now.

    Returns:
        The version that was champion, the one that is, and the decision on that one. If it is not
        to be champion, nothing was moved.

    Raises:
        DataError: there is no such version, no evidence of it, or not what was judged.
    """
    registry = one.registry
    champion = registry.alias(CHAMPION)
    if champion is None:
        raise DataError(f"{registry.name}: has no champion to roll back from; promote a student")
    target = version or next(former_champions(registry, one.history, champion), None)
    if target is None:
        raise DataError(
            f"{registry.name}: version {champion} had no predecessor that passed; name one with "
            "version="
        )
    if target not in registry.versions():
        known = ", ".join(registry.versions())
        raise DataError(f"version={target}: {registry.name} has no such version; it has {known}")
    if target == champion:
        raise DataError(f"version={target}: is champion already")
    evidence = registry.evidence(target)
    if evidence is None:
        raise DataError(f"version={target}: there is no evidence of it; promote its student again")
    decision = judge(evidence, Standing())
    if decision.outcome is Outcome.CHAMPION:
        one.prove(registry, target, evidence)
        move = Move(action="rollback", champion=target, reason=reason)
        registry.set_tags(champion, {ROLLED_BACK: reason})
        one.carry_out(target, move, {ROLLED_BACK: ""})
    return champion, target, decision
