"""history: who became champion or challenger, when, why, and from which commit."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from l1distill.core.errors import DataError
from l1distill.core.terminal import console
from l1distill.stages.command import Command, CommandSettings
from l1distill.tracking.history import Event, History
from l1distill.tracking.registry import CHALLENGER, CHAMPION, open_registry
from l1distill.tracking.store_errors import store_errors_as_one_line


class Settings(CommandSettings):
    """Settings of ``l1distill history``."""

    format: Literal["table", "json"] = "table"
    """A table for people, or one JSON object a line."""
    last: int | None = Field(default=None, ge=1)
    """How many events to show, the newest of all; null for all."""


def _run(settings: Settings) -> None:
    name = settings.tracking.model_name
    with store_errors_as_one_line():
        registry = open_registry(settings.tracking)
        events = History(registry.client, registry.name).events()
        aliases = {alias: registry.alias(alias) for alias in (CHAMPION, CHALLENGER)}
        if not events and not registry.versions():
            raise DataError(f"{name}: no such registered model; promote a student first")
    shown = events[-settings.last :] if settings.last else events
    if settings.format == "json":
        _print_json(shown)
    else:
        _print_table(registry.name, shown)
        for alias, version in aliases.items():
            print(f"{alias}: {'none' if version is None else f'version {version}'}")


def _print_json(events: Sequence[Event]) -> None:
    from dataclasses import asdict
    from json import dumps

    for event in events:
        print(dumps(asdict(event)))


def _print_table(name: str, events: Sequence[Event]) -> None:
    from rich.table import Table

    table = Table(title=name, title_justify="left")
    for column in ("time (UTC)", "action", "version", "champion", "by", "commit", "reason"):
        table.add_column(column, no_wrap=column not in ("reason", "by"))
    for event in events:
        moved = event.champion_before != event.champion_after
        before, after = event.champion_before or "none", event.champion_after or "none"
        table.add_row(
            event.time.removesuffix("+00:00").replace("T", " "),
            event.action if event.done else f"{event.action} (not completed)",
            event.version,
            f"{before} → {after}" if moved else after,
            event.by,
            event.commit[:8],
            event.reason,
        )
    console(log_width=160).print(table)


COMMAND = Command(name="history", settings=Settings, run=_run)
