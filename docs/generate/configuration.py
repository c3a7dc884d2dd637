"""Render the reference of the configuration from ``conf/`` and the settings classes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.generate import composition
from docs.generate.text import table
from l1distill.cli import STAGES
from l1distill.stages.stage import StageSettings

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_LONG = 60
"""Longest default that is shown in a table."""
_MOST_DIFFERENCES = 8
"""Most differences from the other choices of a group that are listed."""


@dataclass(frozen=True)
class Key:
    """A key of the configuration."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """A settings class at a place of the configuration, with the stages that have it there."""

    path: str
    model: type[BaseModel]
    stages: list[str]
    when: str
    """The choice that it belongs to, as ``executor.kind=slurm``; empty where there is one."""


def stage_settings(stage: str) -> type[BaseModel]:
    """Return the settings class of a stage, with the sections of the default task."""
    return composition.settings_of(stage, composition.compose(stage).configuration)


def members(annotation: Any) -> list[Any]:
    """Return the types that a value may have, None apart."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        parts = [members(one) for one in get_args(annotation) if one is not NoneType]
        return [one for part in parts for one in part]
    return [annotation]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings classes that a value may be an instance of."""
    return [one for one in members(annotation) if _is_model(one)]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def tag_of(model: type[BaseModel]) -> str:
    """Return the key and value that tell a member of a union from the others."""
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return f"{name}={get_args(field.annotation)[0]}"
    return ""


def describe_type(annotation: Any, metadata: Iterator[Any] | list[Any] = ()) -> str:  # type: ignore[assignment]
    """Return a type in words, with its bounds."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return describe_type(inner, [*extra, *metadata])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        parts = [describe_type(one, metadata) for one in arguments if one is not NoneType]
        null = ["null"] if NoneType in arguments else []
        return " or ".join([*dict.fromkeys(parts), *null])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in {list, tuple, set, frozenset}:
        return f"list of {describe_type(arguments[0])}"
    if origin is dict:
        return f"{describe_type(arguments[1])} by name"
    names = {
        int: "integer", float: "number", str: "text", bool: "true or false",
        Path: "path", Any: "any value",
    }  # fmt: skip
    if _is_model(annotation):
        return "section"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation))) + _bounds(
        list(metadata)
    )


def _bounds(metadata: list[Any]) -> str:
    flat: list[Any] = []
    for one in metadata:
        flat += getattr(one, "metadata", None) or [one]
    signs = [(Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<")]
    parts = [
        f"{sign} {show(getattr(one, name))}"
        for kind, name, sign in signs
        for one in flat
        if isinstance(one, kind)
    ]
    parts += ["not empty" for one in flat if isinstance(one, MinLen)]
    return f" {', '.join(parts)}" if parts else ""


def show(value: Any) -> str:
    """Return a value as it is written in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(one)}" for key, one in value.items()) + "}"
    return str(value)


def meaning(model: type[BaseModel], name: str) -> str:
    """Return the description of a field.

    Raises:
        ValueError: it has none.
    """
    description = model.model_fields[name].description
    if not description:
        raise ValueError(f"{model.__module__}.{model.__name__}.{name}: has no description")
    return plain(description)


def plain(docstring: str) -> str:
    """Return the text of a docstring as Markdown: reST's literals and roles become code."""
    return _ROLE.sub(r"`\1`", docstring).replace("``", "`")


def sections(stage: str) -> Iterator[tuple[str, type[BaseModel], str]]:
    """Yield each settings class that a stage reads, with its path and the choice it belongs to."""
    yield from _below("", stage_settings(stage), "")


def _below(
    path: str, model: type[BaseModel], when: str
) -> Iterator[tuple[str, type[BaseModel], str]]:
    yield path, model, when
    for name, field in model.model_fields.items():
        key = f"{path}.{name}" if path else name
        choices = models_in(field.annotation)
        for choice in choices:
            tag = f"{key}.{tag_of(choice)}" if len(choices) > 1 else ""
            yield from _below(key, choice, tag or when)


def _default(field: FieldInfo, composed: Any, name: str) -> str:
    if isinstance(composed, Mapping) and name in composed:
        return show(composed[name])
    if field.default is not PydanticUndefined:
        value = field.default
        if isinstance(value, BaseModel):
            return ""
        return show(value)
    if field.default_factory is not None:
        return show(field.default_factory())  # type: ignore[call-arg]
    return "required"


def _at(configuration: Mapping[str, Any], path: str) -> Any:
    place: Any = configuration
    for part in path.split(".") if path else []:
        place = place.get(part) if isinstance(place, Mapping) else None
    return place


def collect() -> dict[tuple[str, str, str], Section]:
    """Gather the sections of all stages; those of the same class at the same place are one."""
    found: dict[tuple[str, str, str], Section] = {}
    for stage in STAGES:
        for path, model, when in sections(stage):
            if not path:
                continue
            name = f"{model.__module__}.{model.__qualname__}"
            section = found.setdefault((path, when, name), Section(path, model, [], when))
            section.stages.append(stage)
    return found


def keys_of(
    path: str, model: type[BaseModel], composed: Any, leave_out: frozenset[str] = frozenset()
) -> list[Key]:
    """Return the keys of a section that are values, not sections of their own."""
    keys = []
    for name, field in model.model_fields.items():
        if name in leave_out or models_in(field.annotation):
            continue
        full = f"{path}.{name}" if path else name
        default = _default(field, composed, name)
        kind = describe_type(field.annotation, field.metadata)
        keys.append(Key(full, kind, default if len(default) <= _LONG else "", meaning(model, name)))
    return keys


def _table(keys: list[Key]) -> str:
    rows = [
        (f"`{key.name}`", key.kind, f"`{key.default}`" if key.default else "", key.meaning)
        for key in keys
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _first_line(model: type[BaseModel]) -> str:
    return plain((model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " "))


def _comment(path: Path) -> str:
    """Return the first comment of a configuration file."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    comments = [line for line in comments if not line.startswith("@package")]
    return comments[0] if comments else ""


ORDER = (
    *("data", "teacher", "compression", "quantization", "student", "distillation"),
    *("firmware", "device", "shape", "precision", "ports", "score", "gates"),
    *("executor", "tracking", "task"),
)
"""Sections of the configuration, in the order of the pipeline; others follow."""


def page() -> str:
    """Return the reference of the configuration as Markdown."""
    composed = {stage: composition.compose(stage) for stage in STAGES}
    shared = frozenset(StageSettings.model_fields) - {"output"}
    parts = ["## Stages\n", "Keys that every stage has:\n"]
    everywhere = keys_of(
        "", StageSettings, composed["generate"].configuration, frozenset({"output"})
    )
    parts.append(_table(everywhere))
    for stage, summary in STAGES.items():
        job = composed[stage]
        chosen = [
            f"`{group}={show(choice)}`"
            for group, choice in job.choices.items()
            if not group.startswith("hydra/")
        ]
        parts += [f"### {stage}\n", f"{summary[0].upper()}{summary[1:]}.\n"]
        parts.append(f"Groups with their default choice: {', '.join(chosen)}.\n")
        parts.append(_table(keys_of("", stage_settings(stage), job.configuration, shared)))
    parts += _group_parts()
    by_title: dict[str, list[Section]] = {}
    for section in collect().values():
        by_title.setdefault(section.path.split(".")[0], []).append(section)
    ordered = [top for top in ORDER if top in by_title]
    for top in [*ordered, *(top for top in by_title if top not in ORDER)]:
        members_of = by_title[top]
        parts.append(f"## {top.capitalize()}\n")
        parts.append(f"In {_words(sorted({s for m in members_of for s in m.stages}))}.\n")
        for section in members_of:
            composed_here = _at(composed[section.stages[0]].configuration, section.path)
            if section.when and not _matches(composed, section):
                composed_here = None
            keys = keys_of(section.path, section.model, composed_here)
            if keys:
                head = section.path
                if section.when:
                    own = section.when.startswith(f"{section.path}.")
                    head = section.when if own else f"{section.path} ({section.when})"
                if "." in head:
                    parts.append(f"### {head}\n")
                parts += [f"{_first_line(section.model)}\n", _table(keys)]
    return "\n".join(parts)


def _matches(composed: Mapping[str, composition.Job], section: Section) -> bool:
    """Tell whether the default configuration is of the choice that a section belongs to."""
    key, _, value = section.when.partition("=")
    return str(_at(composed[section.stages[0]].configuration, key)) == value


def _words(stages: list[str]) -> str:
    if len(stages) == len(STAGES):
        return "all stages"
    return "the stage " + stages[0] if len(stages) == 1 else "the stages " + ", ".join(stages)


def _group_parts() -> list[str]:
    rows = []
    for group, paths in composition.groups().items():
        values = {path.stem: _values(path) for path in paths}
        for path in paths:
            others = [values[other] for other in values if other != path.stem]
            sets = [
                f"`{key}: {value}`"
                for key, value in values[path.stem].items()
                if any(other.get(key) != value for other in others)
            ]
            rows.append(
                (
                    f"`{group}={path.stem}`",
                    _comment(path),
                    ", ".join(sets) if len(sets) <= _MOST_DIFFERENCES else "",
                )
            )
    return [
        "## Choices of groups\n",
        "A group is a folder of `conf/`, a choice a file in it.\n",
        table(("choice", "what it is", "what differs from the other choices"), rows),
    ]


def _values(path: Path) -> dict[str, str]:
    """Return what a configuration file sets, flat."""
    from omegaconf import OmegaConf

    from l1distill.stages.configuration import flatten

    content = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(content, dict):
        return {}
    content = {key: value for key, value in content.items() if key not in {"defaults", "hydra"}}
    return {key: show(value) for key, value in flatten(content).items()}
