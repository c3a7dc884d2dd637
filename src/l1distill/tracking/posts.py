"""Posts of versions: champion, challenger, former champion or refused; since when, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from l1distill.tracking.history import Event

Name = Literal["champion", "challenger", "former champion", "refused", "candidate"]


@dataclass(frozen=True, kw_only=True)
class Post:
    """What a version is now.

    Attributes:
        name: of the post.
        event: by which it came to it; None if the history does not say.
        successor: version that took its place, of a former champion.
    """

    name: Name
    event: Event | None
    successor: str = ""

    @property
    def since(self) -> str:
        """Time in UTC, to the minute; empty if it is not known."""
        return "" if self.event is None else minute(self.event)


def post_of(
    version: str, champion: str | None, challenger: str | None, events: Sequence[Event]
) -> Post:
    """Return what a version is now.

    Args:
        version: which.
        champion: version that is champion.
        challenger: version that is challenger.
        events: of the history, the oldest first.
    """
    newest_first = list(reversed(events))
    about = [event for event in newest_first if event.version == version]
    if version == champion:
        came = [
            event
            for event in newest_first
            if event.champion_after == version and event.champion_before != version
        ]
        return Post(name="champion", event=came[0] if came else None)
    if version == challenger:
        made = [event for event in about if event.action == "challenge"]
        return Post(name="challenger", event=made[0] if made else None)
    left = [
        event
        for event in newest_first
        if event.champion_before == version and event.champion_after != version
    ]
    if left and not (about and about[0].number > left[0].number and about[0].action == "refuse"):
        return Post(
            name="former champion", event=left[0], successor=str(left[0].champion_after or "")
        )
    if about and about[0].action == "refuse":
        return Post(name="refused", event=about[0])
    return Post(name="candidate", event=about[0] if about else None)


def minute(event: Event) -> str:
    """Return when an event was, in UTC, to the minute."""
    return f"{event.time[:16].replace('T', ' ')} UTC"
