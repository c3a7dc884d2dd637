"""History of a registered model: who moved which alias, when, why and from which commit.

Each event is one tag of the registered model, numbered; it is written before the alias moves and
marked when it has, so that a process that dies between the two leaves a move that the next one
completes.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from json import dumps, loads
from typing import TYPE_CHECKING, Literal

from l1distill.tracking.checkout import user_and_host, version_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "history."
Action = Literal["promote", "challenge", "refuse", "keep", "fall back", "rollback", "outside"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened to a registered model.

    Attributes:
        number: events are in its order, whatever the clocks of the machines say.
        time: UTC, in ISO 8601.
        action: ``promote`` a version, or make it ``challenge`` the champion, or ``refuse`` it;
            ``keep`` a champion that was judged again, and ``fall back`` from it to another where it
            no longer passes; ``rollback``; or a move ``outside`` of l1distill.
        version: that it was about.
        champion_before: version that was champion; None if there was none.
        champion_after: version that is champion since.
        reason: one line.
        by: user and machine.
        commit: of the checkout.
        run_id: of the MLflow run, if there was one.
        done: whether the aliases have been moved.
    """

    number: int
    time: str
    action: Action
    version: str
    champion_before: str | None
    champion_after: str | None
    reason: str
    by: str
    commit: str
    run_id: str = ""
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something.

    Attributes:
        by: user and machine.
        commit: of the checkout.
        run_id: of the MLflow run, if there is one.
    """

    by: str
    commit: str
    run_id: str = ""


def current_actor(run_id: str = "") -> Actor:
    """Return who runs this process, from which checkout."""
    return Actor(by=user_and_host(), commit=version_tags()["git_commit"], run_id=run_id)


class History:
    """The events of one registered model; write only while its lock is held."""

    def __init__(self, client: "MlflowClient", model: str) -> None:
        """Take the history of a model, which may not exist yet."""
        self._client = client
        self._model = model

    def events(self) -> list[Event]:
        """Return all events, the oldest first."""
        from mlflow.exceptions import MlflowException

        try:
            tags = self._client.get_registered_model(self._model).tags
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return []
            raise
        found = [Event(**loads(value)) for key, value in tags.items() if key.startswith(PREFIX)]
        return sorted(found, key=lambda event: event.number)

    def begin(
        self,
        action: Action,
        version: str,
        before: str | None,
        after: str | None,
        reason: str,
        actor: Actor,
    ) -> Event:
        """Write an event whose aliases have still to be moved."""
        numbers = [event.number for event in self.events()]
        event = Event(
            number=max(numbers, default=0) + 1,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            action=action,
            version=version,
            champion_before=before,
            champion_after=after,
            reason=reason,
            by=actor.by,
            commit=actor.commit,
            run_id=actor.run_id,
        )
        self._write(event)
        return event

    def complete(self, event: Event) -> None:
        """Mark an event: its aliases have been moved."""
        self._write(replace(event, done=True))

    def _write(self, event: Event) -> None:
        key = f"{PREFIX}{event.number:06d}"
        self._client.set_registered_model_tag(self._model, key, dumps(asdict(event)))
