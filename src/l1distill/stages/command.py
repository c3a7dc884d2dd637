"""Commands that are configured as stages are, and have neither a run nor an output."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from l1distill.core.settings import Settings
from l1distill.tasks.settings import TaskSettings
from l1distill.tracking.settings import TrackingSettings


class CommandSettings(Settings):
    """Settings that every such command has."""

    task: TaskSettings
    """The problem."""
    tracking: TrackingSettings = TrackingSettings()
    """Where runs and models are logged."""


C = TypeVar("C", bound=CommandSettings)


@dataclass(frozen=True, kw_only=True)
class Command(Generic[C]):
    """A command on what has been logged.

    Attributes:
        name: of the command and of its file in ``conf/``.
        settings: its typed settings.
        run: does the work.
    """

    name: str
    settings: type[C]
    run: Callable[[C], None]

    def settings_for(self, *_: Any) -> type[C]:
        """Return the type of its settings, which is the same for every task and configuration."""
        return self.settings
