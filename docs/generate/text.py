"""Small pieces of Markdown that the generated pages are made of."""

from collections.abc import Iterable, Sequence


def cell(value: object) -> str:
    """Return a value as the content of a table's cell, on one line."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def bullets(sentences: Iterable[str]) -> str:
    """Return a Markdown list."""
    return "".join(f"* {cell(sentence)}\n" for sentence in sentences)


def block(commands: Iterable[str]) -> str:
    """Return commands as a fenced block."""
    return "```sh\n" + "".join(f"{command}\n" for command in commands) + "```\n"
