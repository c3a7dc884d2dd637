"""Move the aliases of a registered model: one decision at a time, each in its history."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from l1distill.core.errors import DataError
from l1distill.registry.decision import Decision, Outcome
from l1distill.registry.evidence import Evidence
from l1distill.tracking.cards import write_descriptions
from l1distill.tracking.history import Action, Actor, Event, History
from l1distill.tracking.registry import CHALLENGER, CHAMPION, ROLLED_BACK, ModelRegistry
from l1distill.tracking.registry_lock import Hold, registry_lock


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The champion that a candidate has to beat.

    Attributes:
        version: that is champion; None if there is no champion.
        evidence: what was measured of it; None if that is not known.
        set_back: why the candidate was rolled back; empty if it was not.
    """

    version: str | None = None
    evidence: Evidence | None = None
    set_back: str = ""


Prove = Callable[[ModelRegistry, str, Evidence], None]
"""Raises a DataError unless what the store holds of a version is what was judged, and works."""
Judge = Callable[[Evidence, Standing], Decision]
"""Decides what becomes of a candidate, given the champion."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """What follows from a decision.

    Attributes:
        action: for the history.
        champion: version that is champion afterwards; None if there is none.
        reason: one line.
    """

    action: Action
    champion: str | None
    reason: str


class Promoter:
    """Decides and moves under the lock of a registered model; made by :func:`promoter`."""

    def __init__(self, registry: ModelRegistry, hold: Hold, actor: Actor, prove: Prove) -> None:
        """Take over a lock that is held."""
        self.registry = registry
        self.history = History(registry.client, registry.name)
        self._hold = hold
        self._actor = actor
        self.prove = prove

    def recover(self) -> None:
        """Complete a move that a killed process had begun, and note one of somebody else's.

        The alias may be moved with MLflow's own means; the history then says so.
        """
        events = self.history.events()
        champion = self.registry.alias(CHAMPION)
        if not events or events[-1].champion_after == champion:
            if events and not events[-1].done:
                self._apply(events[-1])
            return
        last = events[-1]
        if not last.done and last.champion_before == champion:
            self._apply(last)
            return
        event = self.history.begin(
            "outside",
            champion or str(last.champion_after),
            last.champion_after,
            champion,
            "the alias was moved, or its version deleted, by other means than l1distill",
            self._actor,
        )
        self._describe(event)
        self.history.complete(event)

    def standing(self, content_sha256: str) -> Standing:
        """Return the champion that a candidate of this content has to beat."""
        return standing(self.registry, content_sha256)

    def plan(self, version: str, decision: Decision, judge: Judge) -> Move:
        """Return what follows from the decision on a version.

        A champion that no longer passes is replaced by the last version before it that does. If
        there is none, it stays: the post is never empty.

        Args:
            version: that was judged.
            decision: on it.
            judge: judges other versions by the same rules.
        """
        champion = self.registry.alias(CHAMPION)
        if decision.outcome is Outcome.CHAMPION:
            action: Action = "keep" if champion == version else "promote"
            return Move(action=action, champion=version, reason=decision.reason)
        if champion != version:
            action = "challenge" if decision.outcome is Outcome.CHALLENGER else "refuse"
            return Move(action=action, champion=champion, reason=decision.reason)
        substitute = self._substitute(version, judge)
        if substitute is None:
            return Move(
                action="keep",
                champion=version,
                reason=f"{decision.reason}; version {version} stays champion because no other "
                "version passes",
            )
        return Move(
            action="fall back",
            champion=substitute,
            reason=f"{decision.reason}; version {substitute} is champion again",
        )

    def _substitute(self, failed: str, judge: Judge) -> str | None:
        """Return the last champion, or else the newest version, that passes the gates now."""
        for version in former_champions(self.registry, self.history, failed):
            evidence = self.registry.evidence(version)
            if evidence is None:
                continue
            if judge(evidence, Standing()).outcome is not Outcome.CHAMPION:
                continue
            with suppress(DataError):
                self.prove(self.registry, version, evidence)
                return version
        return None

    def carry_out(self, version: str, move: Move, tags: Mapping[str, str]) -> None:
        """Write the event, move the aliases and mark the event.

        Args:
            version: that was judged.
            move: what follows.
            tags: the version's, which say why.

        Raises:
            ResourceError: the lock was lost; nothing was moved.
        """
        before = self.registry.alias(CHAMPION)
        champion = move.champion
        if champion not in (None, before) and not self.registry.is_finished(str(champion)):
            raise DataError(
                f"{self.registry.name} version {champion}: its run is not FINISHED; promote "
                "its student again"
            )
        self._hold.check(self.registry.client)
        self.registry.set_tags(version, tags)
        event = self.history.begin(
            move.action, version, before, move.champion, move.reason, self._actor
        )
        self._apply(event)

    def _apply(self, event: Event) -> None:
        """Move the aliases as an event says, and mark it."""
        client, name = self.registry.client, self.registry.name
        champion = event.champion_after
        if champion is not None and self.registry.alias(CHAMPION) != champion:
            client.set_registered_model_alias(name, CHAMPION, champion)
        challenger = self.registry.alias(CHALLENGER)
        if event.action == "challenge":
            if challenger != event.version:
                client.set_registered_model_alias(name, CHALLENGER, event.version)
        elif challenger is not None and challenger in (event.version, champion):
            client.delete_registered_model_alias(name, CHALLENGER)
        self._describe(event, challenger)
        self.history.complete(event)

    def _describe(self, event: Event, *others: str | None) -> None:
        """Let the descriptions follow the aliases."""
        concerned = (event.version, event.champion_before, event.champion_after, *others)
        write_descriptions(self.registry, self.history.events(), concerned)


@contextmanager
def promoter(registry: ModelRegistry, actor: Actor, prove: Prove) -> Iterator[Promoter]:
    """Hold the lock of a registered model, with earlier moves completed.

    Args:
        registry: the registered model.
        actor: who does it.
        prove: proves a version before it becomes champion.

    Raises:
        ResourceError: somebody else held it for minutes.
    """
    with registry_lock(registry.client, registry.name) as hold:
        one = Promoter(registry, hold, actor, prove)
        one.recover()
        yield one


def standing(registry: ModelRegistry, content_sha256: str) -> Standing:
    """Return the champion that a candidate of this content has to beat, as it is now."""
    champion = registry.alias(CHAMPION)
    own = registry.version_of(content_sha256)
    return Standing(
        version=champion,
        evidence=None if champion is None else registry.evidence(champion),
        set_back="" if own is None else registry.tags(own).get(ROLLED_BACK, ""),
    )


def former_champions(registry: ModelRegistry, history: History, current: str) -> Iterator[str]:
    """Yield other versions that may be champion: former champions first, each newest first.

    Versions that were rolled back, refused or deleted are left out.
    """
    there = registry.versions()
    champions = [event.champion_after for event in reversed(history.events())]
    seen = {current}
    for version in [*champions, *there]:
        if version is None or version in seen or version not in there:
            continue
        seen.add(version)
        tags = registry.tags(version)
        if ROLLED_BACK not in tags and tags.get("verdict") == "passed":
            yield version
