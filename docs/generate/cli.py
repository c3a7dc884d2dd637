"""Render the reference of the command line from what ``--help`` prints."""

import contextlib
import io
import os

from l1distill import cli

WIDTH = "90"
"""Columns that fit on a page."""


def help_of(*arguments: str) -> str:
    """Return what a command prints for ``--help``."""
    printed = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        with contextlib.redirect_stdout(printed):
            status = cli.main([*arguments, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    if status:
        raise ValueError(f"l1distill {' '.join(arguments)} --help: status {status}")
    return printed.getvalue().rstrip() + "\n"


def page() -> str:
    """Return the help of the program, of every stage and of every command."""
    parts = [f"```text\n{help_of()}```\n"]
    for name in (*cli.STAGES, *cli.REGISTRY, *cli.COMMANDS):
        parts += [f"## l1distill {name}\n", f"```text\n{help_of(name)}```\n"]
    return "\n".join(parts)
