"""Refuse choices that belong to another task, such as files of events where jets are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from l1distill.core.errors import ConfigError
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse, settings_class
from l1distill.stages.refusals import COMPOSITION_ERRORS, options_of

_TASK = "task"
_EXPERIMENT = "experiment"
"""A group whose choices are no alternatives to one another."""
_OF_TASK = ("data", "teacher", "student.inputs", "evaluation", "augmentation", _EXPERIMENT)
"""Sections that a task fills, and what may be a whole configuration for one."""


def check_choices(stage: str, composed: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
    """Refuse settings that a stage cannot take, and say where a choice is of another task.

    A choice is of another task if its file, with nothing else, fits that and not the one at hand.

    Args:
        stage: name of the stage.
        composed: its resolved configuration, nested.
        choices: what is chosen of each group.

    Raises:
        ConfigError: a key or value is refused. The line names the choice, the task that it is of
            and those of the group that are of the task at hand; or the key, where no choice is of
            another task.
    """
    try:
        parse(settings_class(stage, composed), composed)
    except ConfigError as error:
        said = next(_of_other_tasks(stage, choices), None)
        if said is None:
            raise
        raise ConfigError(said) from error


def _of_other_tasks(stage: str, choices: Mapping[str, Any]) -> Iterator[str]:
    task = choices.get(_TASK)
    if task is None or not _fits(stage, [f"{_TASK}={task}"]):
        return
    usual = compose_stage(stage, [f"{_TASK}={task}"]).choices
    for group, choice in choices.items():
        place = group.partition("@")[2] or group
        if place not in _OF_TASK or choice is None or usual.get(group, choice) == choice:
            continue
        chosen = f"{group}={choice}"
        if _fits(stage, [f"{_TASK}={task}", chosen]):
            continue
        others = [
            f"{_TASK}={other}"
            for other in options_of(_TASK, stage)
            if other != task and _fits(stage, [f"{_TASK}={other}", chosen])
        ]
        if others:
            own = [] if group == _EXPERIMENT else _own(stage, group, task)
            there = f"of {_TASK}={task} there {'is' if len(own) == 1 else 'are'} {', '.join(own)}"
            way_out = there if own else f"choose {others[0]}"
            yield f"{chosen}: is of {' and '.join(others)}, not of {_TASK}={task}; {way_out}"


def _own(stage: str, group: str, task: str) -> list[str]:
    """Return the choices of a group that are of a task."""
    options = [f"{group}={option}" for option in options_of(group.partition("@")[0], stage)]
    return [one for one in options if _fits(stage, [f"{_TASK}={task}", one])]


def _fits(stage: str, words: Sequence[str]) -> bool:
    """Return whether a stage takes what these overrides compose."""
    return _composes(stage, tuple(words), Path.cwd())


@cache  # all jobs of a sweep have the same fault
def _composes(stage: str, words: Sequence[str], _folder: Path) -> bool:
    try:
        composed = to_plain(compose_stage(stage, words).config)
        parse(settings_class(stage, composed), composed)
    except (ConfigError, *COMPOSITION_ERRORS):
        return False
    return True
