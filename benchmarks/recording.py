"""Keep what a benchmark measured: with ``--record`` its table goes into the documentation.

``python benchmarks/reading.py --record`` writes ``docs/results/benchmarks/reading.json``; then
``python -m docs.generate.pages`` makes the page from it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

FLAG = "--record"
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "results" / "benchmarks"
LOAD = os.getloadavg()[0]
"""Processes that ran beside the benchmark when it began."""


def arguments() -> list[str]:
    """Return the arguments of the command line, without the flag."""
    return [word for word in sys.argv[1:] if word != FLAG]


def show(name: str, table: Table, notes: Sequence[str]) -> None:
    """Print a table with its notes, and record it if that was asked for.

    Args:
        name: of the benchmark; title and summary of its record stay as they are.
        table: what was measured.
        notes: sentences about it.
    """
    Console(width=110).print(table)
    for note in notes:
        print(note)
    if FLAG not in sys.argv:
        return
    path = FOLDER / f"{name}.json"
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    cells = [list(column.cells) for column in table.columns]
    record = {
        **json.loads(path.read_text(encoding="utf-8")),
        "command": " ".join(["python", f"benchmarks/{name}.py", *arguments()]),
        "provenance": f"Recorded at commit `{commit[:12]}` on {os.cpu_count()} cores, with a load "
        f"average of {LOAD:.1f} when it began.",
        "columns": [str(column.header) for column in table.columns],
        "rows": [list(row) for row in zip(*cells, strict=True)],
        "notes": list(notes),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: recorded; python -m docs.generate.pages makes the page")
