"""Tables as plain records, rendered as HTML and Markdown by the templates."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: its heading.
        numeric: whether its cells are aligned as numbers.
        source: what its figures come from; in small print below the heading.
    """

    name: str
    numeric: bool = False
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its notes.

    Attributes:
        title: its heading.
        columns: of its cells.
        rows: cells as text, as many in each row as there are columns; without any only the words
            are shown.
        lead: the sentence that sums it up, above the table; empty for none.
        notes: one paragraph each, below the table.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    lead: str = ""
    notes: Sequence[str] = ()
