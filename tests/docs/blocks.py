"""Collect the commands and code blocks of the README and the documentation."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.settings import ROOT

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|:{3,})(?P<info>.*)$")
MARK = re.compile(r"<!-- docs-test: (?P<mark>.+?) -->")
LANGUAGES = {"sh", "python", "text", "yaml", "toml"}
"""Languages of blocks. Commands are ``sh``: a block of another shell would go unchecked."""


@dataclass(frozen=True)
class Block:
    """A fenced block, and the mark in the comment before it."""

    path: Path
    line: int
    language: str
    content: str
    mark: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return the Markdown files that people read."""
    built = {"_build", "_generated"}
    docs = [path for path in (ROOT / "docs").rglob("*.md") if not built & set(path.parts)]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs)]


def blocks_of(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; directives are left out, but for code cells."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = at + 1
        while lines[end].strip() != opening["ticks"]:
            end += 1
        info = opening["info"].strip()
        content = "\n".join(line.removeprefix(opening["indent"]) for line in lines[at + 1 : end])
        mark = MARK.fullmatch(lines[at - 1].strip()) if at else None
        name = mark["mark"] if mark else ""
        if info.startswith("{code-cell}"):
            yield Block(path, at + 1, "cell", content, name)
        elif not info.startswith("{"):
            yield Block(path, at + 1, info, content, name)
        at = end + 1


def all_blocks() -> list[Block]:
    """Return the fenced blocks of all pages."""
    return [block for path in pages() for block in blocks_of(path)]


def recorded_commands() -> dict[Path, list[str]]:
    """Return the commands that the recorded results name."""
    found = {}
    for path in sorted((ROOT / "docs/results").rglob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        found[path] = record.get("commands") or [record["command"]]
    return found


INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def inline_code(path: Path) -> Iterator[str]:
    """Yield the code spans in the running text of a page."""
    kept: list[str] = []
    closing = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        fence = FENCE.match(line)
        if closing:
            closing = "" if line.strip() == closing else closing
        elif fence is not None:
            closing = fence["ticks"]
        else:
            kept.append(re.sub(r"\{\w+(?::\w+)?\}`[^`]+`", "", line))
    yield from INLINE.findall("\n".join(kept))
