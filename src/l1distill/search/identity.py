"""What makes a search the same search: settings, flat, with hashes for data set and teacher."""

import json
from collections.abc import Mapping
from typing import Any

DATA, TEACHER = "data.folder", "teacher_folder"
"""Keys whose values are hashes of what is in these folders."""
_ANOTHER = {DATA: f"another data set in {DATA}", TEACHER: f"another teacher in {TEACHER}"}
_LONGEST = 80
"""Characters of a value in a message."""


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from JSON."""
    content: dict[str, Any] = json.loads(json.dumps(dict(settings), sort_keys=True, default=str))
    return content


def differences(known: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return in words which settings a search was begun with that are not those of now; or empty.

    Args:
        known: what it was begun with, as :func:`plain` has it.
        asked: what is asked for now, likewise.
    """
    differ = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
    # a strategy may have settings that another has not: where that differs, it is what to tell
    differ = [key for key in differ if key in known and key in asked] or differ
    return ", ".join(
        _ANOTHER.get(key) or f"{key}={_short(known.get(key))} (now {_short(asked.get(key))})"
        for key in differ
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
