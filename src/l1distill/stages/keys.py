"""Describe the keys of a configuration: value, unit, and meaning with choices or bounds.

The meaning of a key is the docstring under its field in the settings class; a unit stands there in
square brackets.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from l1distill.stages.configuration import flatten
from l1distill.stages.setting_types import members_of, section_class

_UNIT = re.compile(r"\s*\[([^\]\s,\d]{1,12})\]")


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of the configuration.

    Attributes:
        name: dotted name.
        value: its value, as it is written on the command line.
        unit: unit of the value; empty if it has none.
        meaning: what it is, with its choices or bounds.
    """

    name: str
    value: str
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """The keys of one settings class.

    Attributes:
        name: dotted name; empty for the top level.
        summary: first line of the docstring of the class.
        keys: those that are no sections themselves.
    """

    name: str
    summary: str
    keys: Sequence[Key]


def sections_of(
    settings: type[BaseModel], composed: Mapping[str, Any], prefix: str = ""
) -> Iterator[Section]:
    """Yield the sections of a configuration, each before those within it.

    Args:
        settings: class of the configuration's settings.
        composed: the nested configuration.
        prefix: of the names, with a dot at its end.
    """
    keys: list[Key] = []
    inner: list[tuple[type[BaseModel], Mapping[str, Any], str]] = []
    for name, field in settings.model_fields.items():
        if name not in composed:
            continue
        value = composed[name]
        member = section_class(field.annotation, value)
        if member is not None:
            inner.append((member, value, f"{prefix}{name}."))
        elif isinstance(value, Mapping) and value:  # freely named entries, such as gates
            for entry, content in value.items():
                keys.append(_entry(f"{prefix}{name}.{entry}", content))
        else:
            meaning, unit = _meaning(field)
            keys.append(Key(name=f"{prefix}{name}", value=_text(value), unit=unit, meaning=meaning))
    # the class that a stage makes for its task has the docstring of the one that it extends
    docstring = next((parent.__doc__ for parent in settings.__mro__ if parent.__doc__), "")
    yield Section(name=prefix.rstrip("."), summary=_plain_text(docstring), keys=keys)
    for member, content, its_prefix in inner:
        yield from sections_of(member, content, its_prefix)


def _entry(name: str, content: Any) -> Key:
    if isinstance(content, Mapping):
        return Key(name=name, value="", meaning=_text(content))
    return Key(name=name, value=_text(content))


def _meaning(field: FieldInfo) -> tuple[str, str]:
    """Return what a field means, with its choices or bounds, and its unit."""
    text = _plain_text(field.description)
    found = _UNIT.search(text)
    unit = found[1] if found else ""
    text = _UNIT.sub("", text, count=1)
    limits = _choices(field) or _bounds([*_metadata(field.metadata, field.annotation)])
    return (f"{text} ({limits})" if text and limits else text or limits), unit


def _metadata(metadata: Iterable[Any], annotation: Any) -> Iterator[Any]:
    """Yield what says something of a value, or of the first of the types that it may have."""
    for one in metadata:
        yield from one.metadata if isinstance(one, FieldInfo) else [one]
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _metadata(more, inner)
    elif get_origin(annotation) in {Union, UnionType}:
        yield from _metadata([], get_args(annotation)[0])


def _plain_text(docstring: str | None) -> str:
    """Return the first paragraph of a docstring without markup and without its full stop."""
    paragraph = (docstring or "").strip().split("\n\n")[0]
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", " ".join(paragraph.split()))
    return text.replace("`", "").removesuffix(".")


def _choices(field: FieldInfo) -> str:
    choices = [
        choice
        for member in members_of(field.annotation)
        if get_origin(member) is Literal
        for choice in get_args(member)
    ]
    return ", ".join(map(str, choices)) if len(choices) > 1 else ""


def _bounds(metadata: Sequence[Any]) -> str:
    """Return the bounds of a number; "at least 0" and the like go without saying."""
    bounds = {
        name: value
        for entry in metadata
        for name in ("ge", "gt", "le", "lt")
        if (value := getattr(entry, name, None)) is not None
    }
    if {"ge", "le"} <= bounds.keys():
        return f"{bounds['ge']:,} to {bounds['le']:,}"
    if len(bounds) == 1 and next(iter(bounds.values())) in {0, 1}:
        return ""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return ", ".join(f"{words[name]} {value:,}" for name, value in bounds.items())


def _text(value: Any) -> str:
    """Return a value as it is written on the command line."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(one)}" for key, one in flatten(value).items()) or "{}"
    return json.dumps(value, ensure_ascii=False)
