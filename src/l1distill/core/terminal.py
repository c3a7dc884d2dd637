"""Print for people: as wide as the terminal, or in a log as wide as the text needs."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(log_width: int) -> "Console":
    """Return a console on the standard output.

    Args:
        log_width: columns where that is no terminal: a log has no width of its own, and a wrapped
            table is no table.
    """
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=log_width)
