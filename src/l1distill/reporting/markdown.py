"""Write Markdown: tables, links, and text that is cut where it would not fit."""

from collections.abc import Iterable, Sequence

from l1distill.reporting.tables import Column, Table


def table(columns: Sequence[str | Column], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a vertical bar or a line break in a cell does not break it.

    Args:
        columns: headings; numbers stand at the right.
        rows: cells as text.
    """
    heads = [column if isinstance(column, Column) else Column(name=column) for column in columns]
    lines = [
        [head.name for head in heads],
        ["---:" if head.numeric else "---" for head in heads],
        *rows,
    ]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def section(content: Table, level: int = 2) -> str:
    """Return a table with its title, what stands before it, and its notes."""
    rows = table(content.columns, content.rows) if content.rows else ""
    parts = [f"{'#' * level} {content.title}", content.lead, rows, *content.notes]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def join_within(parts: Iterable[str], limit: int, instead: str) -> str:
    """Join the paragraphs that fit, and say so where some do not.

    Args:
        parts: paragraphs and tables, in the order of what must not be missing.
        limit: most characters.
        instead: stands at the end where not all fits.
    """
    whole = [part.strip() for part in parts if part.strip()]
    joined = "\n\n".join(whole)
    if len(joined) <= limit:
        return joined
    taken: list[str] = []
    for part in whole:
        if len("\n\n".join([*taken, part, instead])) <= limit:
            taken.append(part)
    return "\n\n".join([*taken, instead])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
