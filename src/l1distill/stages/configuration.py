"""The door: a composed configuration becomes typed settings here, and nowhere past it.

Unknown keys and wrong types are refused with one line before anything is opened or written.
"""

import difflib
import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from l1distill.core.errors import ConfigError
from l1distill.tasks.base import TaskSettings, load_task


def run(stage_name: str, composed: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Run the stage of this name with a composed configuration.

    Args:
        stage_name: a stage; its module in this package holds it as ``STAGE``.
        composed: the resolved configuration, nested.
        tags: of its run.

    Raises:
        ConfigError: the configuration cannot be used.
        L1DistillError: an input, a tool or a resource failed.
    """
    stage = importlib.import_module(f"l1distill.stages.{stage_name}").STAGE
    task = load_task(parse(TaskSettings, composed.get("task") or {}, "task"))
    settings = parse(stage.settings_for(task), composed)
    from l1distill.stages.execution import execute

    execute(stage, settings, task, flatten(composed), tags)


def parse(settings: type[BaseModel], composed: Mapping[str, Any], section: str = "") -> Any:
    """Build typed settings.

    Args:
        settings: their type.
        composed: the nested configuration.
        section: of the configuration that it is; empty for the whole.

    Raises:
        ConfigError: a key is unknown or missing or a value is of the wrong type; the line names
            each key, and the nearest real one where there is one.
    """
    try:
        return settings.model_validate(dict(composed))
    except ValidationError as error:
        problems = [_problem(settings, detail, section) for detail in error.errors()]
        raise ConfigError("; ".join(problems)) from error


def _problem(settings: type[BaseModel], detail: Any, section: str) -> str:
    path, known = _place(settings, detail["loc"])
    path = [section, *path] if section else path
    key = ".".join(path)
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"; did you mean {'.'.join([*path[:-1], near[0]])}?" if near else ""
        return f"{key}: no such key{hint}"
    if detail["type"] == "missing":
        return f"{key}: missing; give it a value"
    if detail["type"].startswith("union_tag"):
        tag = f"{key}.{detail['ctx']['discriminator']}".replace("'", "")
        if "tag" not in detail["ctx"]:
            return f"{tag}: missing; give it a value"
        return f"{tag}={detail['ctx']['tag']!r}: choose one of {detail['ctx']['expected_tags']}"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":  # one of ours, about several keys at once
        return f"{key}: {message}" if key else str(message)
    return f"{key}={detail['input']!r:.80}: {message[0].lower()}{message[1:]}"


def _place(annotation: Any, location: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """Finds out what a location of pydantic's means in the configuration.

    Returns:
        The keys that lead there, without the names of members that pydantic puts behind a union;
        and the keys that are known beside the last.
    """
    path: list[str] = []
    known: list[str] = []
    for part in map(str, location):
        members = _members(annotation)
        if len(members) > 1:
            annotation = next((member for member in members if _goes_by(member, part)), Any)
            continue
        path.append(part)
        (annotation,) = members
        if _is_model(annotation):
            fields = annotation.model_fields
            known = list(fields)
            annotation = fields[part].annotation if part in fields else Any
        else:  # the values of a dictionary or a list
            known = []
            annotation = get_args(annotation)[-1] if get_args(annotation) else Any
    return path, known


def _members(annotation: Any) -> list[Any]:
    """The types that a value may have, but for None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        members = [_members(one) for one in get_args(annotation) if one is not type(None)]
        return [one for several in members for one in several]
    return [annotation]


def _goes_by(member: Any, name: str) -> bool:
    """Says whether this is what pydantic calls the member of a union: by its tag or its type."""
    if not _is_model(member):
        return False
    kinds = [field.annotation for field in member.model_fields.values()]
    tags = [tag for kind in kinds if get_origin(kind) is Literal for tag in get_args(kind)]
    return name in {member.__name__, *tags}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def flatten(composed: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a nested configuration as ``{"a.b": value}``; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in composed.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def sweep_output(hydra_config: Any, output: str) -> str:
    """Gives each job of a sweep an output folder of its own, in the job's Hydra folder."""
    return os.path.normpath(Path(hydra_config.runtime.output_dir) / Path(output).name)
