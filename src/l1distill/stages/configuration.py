"""Turn a composed configuration into typed settings, and run the stage with them.

Unknown keys and wrong types are refused in one line before anything is opened or written.
"""

import difflib
import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from l1distill.core.errors import ConfigError
from l1distill.tasks.base import Task, TaskSettings, load_task


def run(stage_name: str, composed: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Run the stage or command of this name with a composed configuration.

    Args:
        stage_name: its name; its module in this package holds it as ``STAGE`` or ``COMMAND``.
        composed: the resolved configuration, nested.
        tags: tags of its run.

    Raises:
        L1DistillError: the configuration or an input cannot be used, or a tool or resource failed.
    """
    from l1distill.stages.command import Command

    stage, task = _load(stage_name, composed)
    settings = parse(stage.settings_for(task, composed), composed)
    if isinstance(stage, Command):
        stage.run(settings)
        return
    from l1distill.stages.execution import execute

    execute(stage, settings, task, parameters_of(settings, composed), tags)


def settings_class(stage_name: str, composed: Mapping[str, Any]) -> type[BaseModel]:
    """Return the class of a stage's settings, for the task and the choices of a configuration.

    Raises:
        ConfigError: the task cannot be imported.
    """
    stage, task = _load(stage_name, composed)
    settings: type[BaseModel] = stage.settings_for(task, composed)
    return settings


def _load(stage_name: str, composed: Mapping[str, Any]) -> tuple[Any, Task]:
    task = load_task(parse(TaskSettings, composed.get("task") or {}, "task"))
    module = importlib.import_module(f"l1distill.stages.{stage_name}")
    return (module.STAGE if hasattr(module, "STAGE") else module.COMMAND), task


def parse(settings: type[BaseModel], composed: Mapping[str, Any], section: str = "") -> Any:
    """Build typed settings from a composed configuration.

    Args:
        settings: their class.
        composed: the nested configuration.
        section: the section of the configuration that it is; empty for the whole.

    Raises:
        ConfigError: a key is unknown or missing or a value is of the wrong type; the line names
            each key, and the nearest real one where there is one.
    """
    try:
        return settings.model_validate(dict(composed))
    except ValidationError as error:
        problems = [_explain_problem(settings, detail, section) for detail in error.errors()]
        raise ConfigError("; ".join(problems)) from error


def parameters_of(settings: BaseModel, composed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat configuration, with the defaults of the keys that it leaves out.

    Args:
        settings: what was built from ``composed``.
        composed: the resolved configuration, nested; a file of the user's may leave out keys.
    """
    return {**dict(_left_out(settings)), **flatten(composed)}


def _left_out(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name in settings.model_fields_set:
            if isinstance(value, BaseModel):
                yield from _left_out(value, f"{prefix}{name}.")
        elif value is not None:
            plain = settings.model_dump(mode="json", include={name})
            yield from flatten(plain, prefix).items()


def _explain_problem(settings: type[BaseModel], detail: Any, section: str) -> str:
    """Return what pydantic found wrong, in one line that names the key."""
    path, known = _locate(settings, detail["loc"])
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


def _locate(annotation: Any, location: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """Translate a location of pydantic's into keys of the configuration.

    Returns:
        The keys that lead there, without the names of members that pydantic puts behind a union;
        and the keys that are known beside the last.
    """
    path: list[str] = []
    known: list[str] = []
    for part in map(str, location):
        members = members_of(annotation)
        if len(members) > 1:
            annotation = next((member for member in members if _is_named(member, part)), Any)
            continue
        path.append(part)
        (annotation,) = members
        if is_settings(annotation):
            fields = annotation.model_fields
            known = list(fields)
            annotation = fields[part].annotation if part in fields else Any
        else:  # the values of a dictionary or a list
            known = []
            annotation = get_args(annotation)[-1] if get_args(annotation) else Any
    return path, known


def members_of(annotation: Any) -> list[Any]:
    """Return the types that a value may have, without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members_of(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        members = [members_of(one) for one in get_args(annotation) if one is not type(None)]
        return [one for several in members for one in several]
    return [annotation]


def _is_named(member: Any, name: str) -> bool:
    """Return whether pydantic calls the member of a union so: by its tag or by its type."""
    return is_settings(member) and name in {member.__name__, *tags_of(member)}


def tags_of(settings: type[BaseModel]) -> list[str]:
    """Return the values of the literal fields of a class, by which a union tells it apart."""
    annotations = [field.annotation for field in settings.model_fields.values()]
    return [tag for one in annotations if get_origin(one) is Literal for tag in get_args(one)]


def is_settings(annotation: Any) -> bool:
    """Return whether a type is a class of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def section_class(annotation: Any, value: Any) -> type[BaseModel] | None:
    """Return the settings class of a section of the configuration; None for other values.

    Args:
        annotation: type of the field.
        value: of the section; of several classes the one that its tag belongs to is returned.
    """
    if not isinstance(value, Mapping):
        return None
    members = [member for member in members_of(annotation) if is_settings(member)]
    if len(members) < 2:
        return members[0] if members else None
    for member in members:
        literals = {
            name: get_args(field.annotation)
            for name, field in member.model_fields.items()
            if get_origin(field.annotation) is Literal
        }
        if any(value.get(name) in tags for name, tags in literals.items() if len(tags) == 1):
            matching: type[BaseModel] = member
            return matching
    return None


def flatten(composed: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration as ``{"a.b": value}``; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in composed.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def sweep_output(hydra_config: Any, output: str) -> str:
    """Return an output folder for one job of a sweep, in the job's Hydra folder."""
    return os.path.normpath(Path(hydra_config.runtime.output_dir) / Path(output).name)
