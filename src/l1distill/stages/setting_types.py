"""Look into the types of settings: unions, their tags, and the class of a section."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


def members_of(annotation: Any) -> list[Any]:
    """Return the types that a value may have, without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members_of(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        members = [members_of(one) for one in get_args(annotation) if one is not type(None)]
        return [one for several in members for one in several]
    return [annotation]


def is_named(member: Any, name: str) -> bool:
    """Return whether pydantic calls the member of a union so: by its tag or by its type."""
    return is_settings(member) and name in {member.__name__, *tags_of(member)}


def tags_of(settings: type[BaseModel]) -> list[str]:
    """Return the values of the literal fields of a class, by which a union tells it apart."""
    annotations = [field.annotation for field in settings.model_fields.values()]
    return [tag for one in annotations if get_origin(one) is Literal for tag in get_args(one)]


def is_settings(annotation: Any) -> bool:
    """Return whether a type is a class of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def has_key(annotation: Any, key: str) -> bool:
    """Return whether settings have a dotted key, in any of the types that a section may have.

    What is named freely, as gates are, has every key.
    """
    for part in key.split("."):
        members = [member for member in members_of(annotation) if is_settings(member)]
        if not members:
            return True
        found = [one.model_fields[part].annotation for one in members if part in one.model_fields]
        if not found:
            return False
        annotation = found[0] if len(found) == 1 else Union[tuple(found)]  # noqa: UP007
    return True


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
