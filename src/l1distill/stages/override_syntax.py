"""Overrides of Hydra's as they are written: read, quoted, and explained where they are wrong."""

import difflib
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with the nearest known word; nothing if none is near."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""


def quote_override(key: str, value: str) -> str:
    """Return an override for the shell, quoted so that Hydra takes the value as it is."""
    if value.startswith("[") and value.endswith("]"):
        parts = [part.strip() for part in value[1:-1].split(",")]
        quoted = ",".join(part if parsed(f"x={part}") else _in_quotes(part) for part in parts)
        return shlex.quote(f"{key}=[{quoted}]")
    return shlex.quote(f"{key}={_in_quotes(value)}")


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\") if value.endswith("\\") else value
    return '"' + escaped.replace('"', '\\"') + '"'


def explain_syntax(word: str, words: Sequence[str]) -> str:
    """Explain why an override cannot be read, and how to write it.

    Args:
        word: the override.
        words: all of them, as they were given.
    """
    key, equals, value = word.partition("=")
    if not equals:
        before = words[max(0, list(words).index(word) - 1)] if word in words else word
        head, joined, start = before.partition("=")
        hint = f"; a value with spaces is quoted: {quote_override(head, f'{start} {word}')}"
        return f"{word}: no key=value{hint if joined else ''}"
    quoted = quote_override(key, value)
    if parsed(shlex.split(quoted)[0]) is None:
        return f"{word}: no key=value; see l1distill -h"
    return f"{word}: has a character that Hydra reads as its own; quote the value: {quoted}"


def explain_sweep_value(word: str) -> str:
    """Explain an override of several values where there is no sweep."""
    key, _, value = word.partition("=")
    return (
        f"{word}: several values are a sweep; add -m to run each; "
        f"a list is {shlex.quote(f'{key}=[{value}]')}, one text {quote_override(key, value)}"
    )


def parsed(word: str) -> "Override | None":
    """Return an override as Hydra reads it; None where it cannot."""
    try:
        return OverridesParser.create().parse_override(word)
    except Exception:  # the generated parser lets its own errors through, too
        return None
