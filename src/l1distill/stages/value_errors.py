"""Say in one line what pydantic refuses: each key as it is written, its value, what is wrong."""

import difflib
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from l1distill.stages.setting_types import is_named, is_settings, members_of, tags_of

_WHY_UNREADABLE = ", unable to parse string"
"""What pydantic adds where a text is no number; beside other types that it may be, too much."""


def explain_problems(settings: type[BaseModel], details: Sequence[Any], section: str) -> str:
    """Return what pydantic found wrong, in one line that names each key.

    Of a value that may be of several types pydantic says for each why it is not; they are joined
    by "or".

    Args:
        settings: class of the settings.
        details: pydantic's ``errors()``.
        section: the section of the configuration that they are; empty for the whole.
    """
    alternatives: dict[tuple[str, ...], list[Any]] = {}
    for place, detail in enumerate(details):
        value = _union_of(settings, detail["loc"]) or (str(place),)
        alternatives.setdefault(value, []).append(detail)
    return "; ".join(
        _either(settings, several, section, len(place)) for place, several in alternatives.items()
    )


def _either(settings: type[BaseModel], details: Sequence[Any], section: str, depth: int) -> str:
    problems = [_explain(settings, detail, section) for detail in details]
    if len({detail["loc"][depth : depth + 1] for detail in details}) == 1:  # of one type
        return "; ".join(problems)
    first, *others = (problem.partition(_WHY_UNREADABLE)[0] for problem in problems)
    before = f"{first.partition(': ')[0]}: input should be "
    said = ", or ".join(dict.fromkeys(one.removeprefix(before) for one in [first, *others]))
    return before + said if first.startswith(before) else said


def _explain(settings: type[BaseModel], detail: Any, section: str) -> str:
    path, known, annotation = _locate(settings, detail["loc"])
    path = [section, *path] if section else path
    key, kind, limits = _written(path), detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"; did you mean {_written([*path[:-1], near[0]])}?" if near else ""
        return f"{key}: no such key{hint}"
    if kind == "missing":
        if path[-1].startswith("["):  # of a list of fixed length
            given = f"{_written(path[:-1])}={detail['input']!r:.80}"
            return f"{given}: too few entries; {path[-1]} is missing"
        return f"{key}: missing; give it a value"
    if kind.startswith("union_tag"):
        tag = f"{key}.{limits['discriminator']}".replace("'", "")
        if "tag" not in limits:
            return f"{tag}: missing; give it a value"
        return f"{tag}={limits['tag']!r}: choose one of {limits['expected_tags']}"
    given = f"{key}={detail['input']!r:.80}"
    if kind in {"too_short", "too_long"}:
        least = kind == "too_short"
        number = limits["min_length" if least else "max_length"]
        return f"{given}: give at {'least' if least else 'most'} {_counted(number)}"
    if kind in {"tuple_type", "list_type"}:
        return f"{given}: input should be a list, such as [{detail['input']}]"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", limits["expected"])
        near = difflib.get_close_matches(str(detail["input"]), choices, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{given}: input should be {limits['expected']}{hint}"
    message = detail["msg"].removeprefix("Value error, ")
    if kind == "value_error":  # one of ours
        sections = [member for member in members_of(annotation) if is_settings(member)]
        return _of_section(key, sections[0], message) if sections else f"{given}: {message}"
    return f"{given}: {message[0].lower()}{message[1:]}"


def _of_section(section: str, settings: type[BaseModel], message: str) -> str:
    """Return a message about several keys of a section, each as it is written.

    Keys are its first word, names before an equals sign, and names with an underscore.
    """
    if not section:
        return message
    fields = settings.model_fields
    first = re.match(r"\w+", message)

    def in_full(word: re.Match[str]) -> str:
        is_key = word.start() == 0 or "_" in word[0] or message[word.end() :].startswith("=")
        return f"{section}.{word[0]}" if word[0] in fields and is_key else word[0]

    full = re.sub(r"(?<![\w.])\w+", in_full, message)
    return full if first is not None and first[0] in fields else f"{section}: {full}"


def _counted(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _written(path: Sequence[str]) -> str:
    """Return a key as it is written: ``student.weight_bits[1]``."""
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")


def _union_of(settings: type[BaseModel], location: Sequence[str | int]) -> tuple[str, ...]:
    """Return where a value stands that may be of several types, none of them by a tag."""
    annotation: Any = settings
    for depth, part in enumerate(map(str, location)):
        members = members_of(annotation)
        if len(members) > 1:
            tagged = any(is_settings(member) and part in tags_of(member) for member in members)
            return () if tagged else tuple(map(str, location[:depth]))
        annotation = _next(members[0], part)
    return ()


def _locate(annotation: Any, location: Sequence[str | int]) -> tuple[list[str], list[str], Any]:
    """Translate a location of pydantic's into keys of the configuration.

    Returns:
        The keys that lead there, without the names of members that pydantic puts behind a union;
        the keys that are known beside the last; and the type of what is there.
    """
    path: list[str] = []
    known: list[str] = []
    for one in location:
        part = str(one)
        members = members_of(annotation)
        if len(members) > 1:
            annotation = next((member for member in members if is_named(member, part)), Any)
            continue
        path.append(f"[{one}]" if isinstance(one, int) else part)
        known = list(members[0].model_fields) if is_settings(members[0]) else []
        annotation = _next(members[0], part)
    return path, known, annotation


def _next(annotation: Any, part: str) -> Any:
    """Return the type of a field, or of the values of a dictionary or a list."""
    if is_settings(annotation):
        fields = annotation.model_fields
        return fields[part].annotation if part in fields else Any
    return get_args(annotation)[-1] if get_args(annotation) else Any
