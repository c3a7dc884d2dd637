"""Show the help of a stage: its groups with their choices, its keys with value, unit and meaning.

The meaning of a key is the docstring under its field in the settings class. It imports no heavy
package and runs nothing.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from l1distill.core.terminal import console
from l1distill.stages.composition import (
    compose_stage,
    conf_folders,
    hydra_initialized,
    to_plain,
)
from l1distill.stages.configuration import settings_class
from l1distill.stages.keys import Section, sections_of

LOG_WIDTH = 110
"""Columns of the page where it does not go to a terminal and COLUMNS is not set."""
NAME_COLUMNS = 32
UNIT_COLUMNS = 3
"""Least widths of names and units."""
VALUE_COLUMNS = (10, 24)
"""Least and largest width of values; longer ones are wrapped."""
GENERAL_SECTIONS = ("data", "executor", "tracking")
"""Sections that every stage has; they come last."""


def print_help(stage: str, summary: str, overrides: Sequence[str]) -> None:
    """Print the help of a stage for a terminal, or for a log.

    Args:
        stage: name of the stage.
        summary: one line about it.
        overrides: Hydra's overrides; the page shows what they choose.

    Raises:
        HydraException: an override is wrong.
    """
    composed = compose_stage(stage, overrides)
    groups = composed.choices
    with hydra_initialized() as loader:
        options = {group: loader.get_group_options(group.partition("@")[0]) for group in groups}
    try:
        plain = to_plain(composed.config)
    except OmegaConfBaseException:  # a value has still to be given, or cannot be resolved yet
        plain = to_plain(composed.config, resolve=False)
    if "experiment" in options:
        options["experiment"] = experiments_of(options["experiment"], {*groups, *plain})
    sections = sections_of(settings_class(stage, plain), plain)
    columns = int(os.environ.get("COLUMNS", LOG_WIDTH))
    terminal = console(log_width=columns)
    with terminal.capture() as page:
        terminal.print(_page(stage, summary, groups, options, list(sections)))
    print("\n".join(line.rstrip() for line in page.get().splitlines()))


def experiments_of(names: Sequence[str], known: set[str]) -> list[str]:
    """Return the experiments that are meant for a stage.

    Args:
        names: names of the files in ``conf/experiment``.
        known: the stage's groups and top-level keys; an experiment that sets another is not for it.
    """
    return [name for name in names if _touched_by(name) <= known]


def _touched_by(name: str) -> set[str]:
    """Return the groups and top-level keys that an experiment sets, or one that it is made from."""
    files = [folder / "experiment" / f"{name}.yaml" for folder in conf_folders()]
    content: Any = OmegaConf.to_container(
        OmegaConf.load(next(file for file in files if file.is_file()))
    )
    entries = content.pop("defaults", [])
    others = [entry for entry in entries if isinstance(entry, str) and entry != "_self_"]
    overridden = [key for entry in entries if isinstance(entry, dict) for key in entry]
    swept = content.pop("hydra", {}).get("sweeper", {}).get("params", {})
    touched = [key.removeprefix("override ").strip("/") for key in [*overridden, *swept]]
    return {*content, *(key.split(".")[0] for key in touched)}.union(*map(_touched_by, others))


def _page(
    stage: str,
    summary: str,
    groups: Mapping[str, str | None],
    options: Mapping[str, Sequence[str]],
    sections: Sequence[Section],
) -> Group:
    usage = Text.assemble(
        ("usage: ", "bold"),
        f"l1distill {stage} [group=choice ...] [key=value ...] [-m]\n\n",
        f"{summary[0].upper()}{summary[1:]}.\n",
    )
    choices = Table.grid(padding=(0, 2, 0, 0))
    choices.add_column(no_wrap=True)
    choices.add_column(overflow="fold", ratio=1)
    for group in sorted(group for group in groups if options[group]):
        names = [
            Text(f"[{name}]", "bold green") if name == groups[group] else Text(name)
            for name in options[group]
        ]
        choices.add_row(Text(f"  {group}", "cyan"), Text("  ").join(names))
    notes = Text.assemble(
        "\nSeveral values are a sweep: ",
        (f"l1distill {stage} -m seed=1,2,3", "cyan"),
        ". A value with commas, brackets or = is quoted: ",
        ("'output=\"a,b\"'", "cyan"),
        ". Files of yours in ",
        ("conf/<group>/", "cyan"),
        " of the working directory are choices, too. ",
        ("--cfg job", "cyan"),
        " prints the configuration, ",
        ("--debug", "cyan"),
        " shows where an error comes from.",
    )
    return Group(
        usage,
        Text("groups, [what is chosen]", "bold"),
        choices,
        Text("\nkeys, value, unit, meaning", "bold"),
        *_tables(sections),
        notes,
    )


def _tables(sections: Sequence[Section]) -> Iterator[RenderableType]:
    """Yield a heading and a table for each section."""
    general = {name: place for place, name in enumerate(GENERAL_SECTIONS, start=1)}
    for section in sorted(sections, key=lambda one: general.get(one.name.split(".")[0], 0)):
        if not section.keys:
            continue
        if section.name:
            summary = f": {section.summary}" if section.summary else ""
            yield Text.assemble((f"\n{section.name}", "bold"), summary)
        name = max(NAME_COLUMNS, *(len(key.name) + 2 for key in section.keys))
        value = max(VALUE_COLUMNS[0], *(len(key.value) for key in section.keys))
        unit = max(UNIT_COLUMNS, *(len(key.unit) for key in section.keys))
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(no_wrap=True, width=name)
        table.add_column(overflow="fold", width=min(value, VALUE_COLUMNS[1]))
        table.add_column(no_wrap=True, width=unit)
        table.add_column(ratio=1, overflow="fold")
        for key in section.keys:
            table.add_row(
                Text(f"  {key.name}", "cyan"), Text(key.value), Text(key.unit), Text(key.meaning)
            )
        yield table
