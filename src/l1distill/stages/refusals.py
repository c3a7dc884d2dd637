"""Explain in one line what Hydra or OmegaConf refuses: unknown keys, choices, syntax errors."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from l1distill.core.errors import ConfigError, first_line
from l1distill.stages.composition import compose_stage, hydra_initialized, to_plain
from l1distill.stages.configuration import flatten
from l1distill.stages.job_names import named
from l1distill.stages.override_syntax import (
    did_you_mean,
    explain_sweep_value,
    explain_syntax,
    parsed,
)
from l1distill.stages.setting_types import has_key
from l1distill.stages.sweep_jobs import jobs_of

if TYPE_CHECKING:
    from pydantic import BaseModel

MOST_SECTIONS = 3
"""Sections that a key without its section is offered in; one in more of them may be any."""
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
"""What the composition of a configuration may raise because of its files or of the overrides."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something cannot be composed.

    Attributes:
        text: one line that names the word.
        of_choice: whether another choice of a group would have the key.
    """

    text: str
    of_choice: bool = False


def explain(error: Exception, stage: str, words: Sequence[str], job: str = "") -> str:
    """Explain an error of the composition in one line that names the word and the way out.

    Args:
        error: one of :data:`COMPOSITION_ERRORS`.
        stage: name of the stage.
        words: the overrides as they were given.
        job: name of the job of a sweep whose overrides these are; empty outside of sweeps.
    """
    said = _explain(error, stage, words)
    if not job:
        return said.text
    of_sweep = said.of_choice and isinstance(error, HydraException)
    return f"job {named(job, said.text)}{'; run a sweep for each choice' if of_sweep else ''}"


def check_added(settings: type["BaseModel"], stage: str, words: Sequence[str]) -> None:
    """Refuse a key that is added by ``+`` and that another choice of its group has.

    Args:
        settings: class of the settings that the words compose.
        stage: name of the stage.
        words: the overrides as they were given.

    Raises:
        ConfigError: the choice at hand has no such key; the line names those that have it.
    """
    for word in words:
        key = word.lstrip("+").partition("=")[0]
        if word.startswith("+") and not has_key(settings, key):
            plain = [other for other in words if other is not word]
            said = _choices_with(key, stage, plain, _known(stage, plain)[1])
            if said is not None:
                raise ConfigError(f"{key}: {said.text}")


def explain_sweep(error: Exception, stage: str, words: Sequence[str]) -> str:
    """Explain an error of the composition of a sweep: which of its jobs is refused, and why.

    Args:
        error: one of :data:`COMPOSITION_ERRORS`.
        stage: name of the stage.
        words: the overrides as they were given, some with several values.
    """
    with suppress(*COMPOSITION_ERRORS):
        for job in jobs_of(words):
            try:
                compose_stage(stage, job.words)
            except COMPOSITION_ERRORS as its_own:
                return explain(its_own, stage, job.words, job.name)
    return explain(error, stage, words)


def _explain(error: Exception, stage: str, words: Sequence[str]) -> Refusal:
    if isinstance(error, OverrideParseException):
        return Refusal(text=explain_syntax(error.override, words))
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        where = f"{mark.name}: line {mark.line + 1}"
        return Refusal(text=f"{where}: {error.problem}; correct the file")
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group.startswith("profile/"):
            return Refusal(text=_explain_profile(group, name, stage, words))
        options = sorted(error.options or [])
        choices = f"; there are {', '.join(options)}" if options else ""
        near = did_you_mean(name, options)
        return Refusal(text=f"{group or stage}={name}: no such choice{near}{choices}")
    for cause in (error.__cause__, error):
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            if type(cause).__name__ in {"ConfigAttributeError", "ConfigKeyError"}:
                key = _as_given(cause.full_key, words)
                why = _unknown_key(key, stage, words) or Refusal(text="cannot be set here")
                return replace(why, text=f"{key}: {why.text}")
            return Refusal(text=f"{cause.full_key}: {_sentence(first_line(cause))}")
    overrides = [override for word in words if (override := parsed(word)) is not None]
    if "--multirun" in str(error):
        for override in overrides:
            if override.is_sweep_override():
                return Refusal(text=explain_sweep_value(str(override.input_line)))
    for override in overrides:
        key = override.key_or_group
        if override.is_add() or override.is_force_add() or key.startswith("hydra."):
            continue  # what is wrong with a key of Hydra's own, it says itself
        if unknown := _unknown_key(key, stage, words):
            return replace(unknown, text=f"{key}: {unknown.text}")
    return Refusal(text=_sentence(first_line(error)))


def _explain_profile(group: str, name: str, stage: str, words: Sequence[str]) -> str:
    """Explain that a task lacks a profile which others have; its own are files of ``group``."""
    task, options = group.partition("/")[2], options_of(group, stage, words)
    there = f"there are {', '.join(options)}" if options else f"add conf/{group}/{name}.yaml"
    return f"profile={name}: the task {task} has no such profile; {there}"


def _unknown_key(key: str, stage: str, words: Sequence[str]) -> Refusal | None:
    """Return why a stage has no such key or group; None if it has.

    Args:
        key: as it was given.
        stage: name of the stage.
        words: all overrides; those of groups decide which keys there are.
    """
    keys, choices = _known(stage, words)
    groups = sorted(choices)
    if key in groups or key in keys:
        return None
    if others := _choices_with(key, stage, words, choices):
        return others
    if options_of(key, stage, words):
        return Refusal(text=f"no group of l1distill {stage}; its groups are {', '.join(groups)}")
    # a key without its section
    within = [one for one in keys if one.endswith(f".{key}")]
    if 0 < len(within) <= MOST_SECTIONS:
        return Refusal(text=f"no such key; did you mean {' or '.join(within)}?")
    return Refusal(text=f"no such key{did_you_mean(key, [*keys, *groups])}")


def _as_given(key: str, words: Sequence[str]) -> str:
    """Return the key of the override that asks for a key: that one, or one within it."""
    given = [override.key_or_group for word in words if (override := parsed(word)) is not None]
    return next((one for one in given if one == key or one.startswith(f"{key}.")), key)


def _search_path(words: Iterable[str]) -> list[str]:
    """Return the overrides that say where configuration files are."""
    return [word for word in words if word.lstrip("+").startswith("hydra.searchpath=")]


def options_of(group: str, stage: str, words: Sequence[str] = ()) -> list[str]:
    """Return the choices of a group; none if there is no such group.

    Args:
        group: its name.
        stage: name of the stage.
        words: overrides that may say where configuration files are.
    """
    places = _search_path(words)
    with hydra_initialized() as loader:
        return list(loader.get_group_options(group, config_name=stage, overrides=places))


def _choices_with(
    key: str, stage: str, words: Sequence[str], choices: Mapping[str, str | None]
) -> Refusal | None:
    """Return which choices of its group have a key that the one at hand has not; None if none.

    Args:
        key: as it was given.
        stage: name of the stage.
        words: all overrides.
        choices: what is chosen of each group.
    """
    places = {group.partition("@")[2] or group.replace("/", "."): group for group in choices}
    for place in sorted(places, key=len, reverse=True):
        if not key.startswith(f"{place}."):
            continue
        group = places[place]
        others = [word for word in words if word.partition("=")[0] != group]
        having = [
            f"{group}={option}"
            for option in options_of(group.partition("@")[0], stage, words)
            if option != choices[group] and key in _known(stage, [*others, f"{group}={option}"])[0]
        ]
        if having:
            verb = "has" if len(having) == 1 else "have"
            chosen = choices[group] or "null"
            has = f"{' and '.join(having)} {verb} it"
            return Refusal(text=f"{group}={chosen} has no such key; {has}", of_choice=True)
    return None


def _known(stage: str, words: Sequence[str]) -> tuple[list[str], Mapping[str, str | None]]:
    """Return the keys of a stage, sections included, and what is chosen of its groups.

    They are those of the files that the search path of the overrides leads to, as far as they
    compose.
    """
    places = _search_path(words)
    composed = compose_stage(stage, places)
    of_groups = [word for word in words if word.partition("=")[0] in composed.choices]
    with suppress(*COMPOSITION_ERRORS):
        composed = compose_stage(stage, [*places, *of_groups])
    leaves = list(flatten(to_plain(composed.config, resolve=False)))
    sections = {leaf.rsplit(".", n)[0] for leaf in leaves for n in range(1, leaf.count(".") + 1)}
    return [*leaves, *sorted(sections)], composed.choices


def _sentence(text: str) -> str:
    return " ".join(text.split())
