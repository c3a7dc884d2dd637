"""Render the matrix of injected faults, stage by fault, from the marks of the tests.

Each test that injects a fault says so with ``pytest.mark.fault`` of stage, fault and outcome;
a cell of the table is there because such a test is.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.generate.text import table

ROOT = Path(__file__).parents[2]
STAGES = (
    "every stage",
    "generate",
    "teacher",
    "quantize",
    "student",
    "synthesize",
    "promote",
    "rollback",
)
"""Columns of the table. What is tested for every stage is tested where all stages are run."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that a test injects.

    Attributes:
        stage: where.
        fault: which.
        outcome: what the test holds has to become of it.
        test: file and name of the test.
    """

    stage: str
    fault: str
    outcome: str
    test: str


def declared(folder: Path = ROOT / "tests") -> list[Fault]:
    """Return the faults that the tests declare, in the order of files and lines.

    Raises:
        ValueError: a mark is not on a test, or names a stage that there is not.
    """
    return [fault for path in sorted(folder.rglob("test_*.py")) for fault in _in_file(path)]


def _in_file(path: Path) -> Iterator[Fault]:
    source = path.read_text(encoding="utf-8")
    if "mark.fault(" not in source:
        return
    tree, found = ast.parse(source), 0
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        for decorator in function.decorator_list:
            for call in _marks(decorator):
                found += 1
                values = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                if values["stage"] not in STAGES:
                    raise ValueError(f"{path}: {function.name}: no stage {values['stage']!r}")
                name = f"{path.relative_to(ROOT).as_posix()}::{function.name}"
                yield Fault(**values, test=name)
    if found != len(list(_marks(tree))):
        raise ValueError(f"{path}: a mark fault that is not on a test")


def _marks(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            yield node


def page(faults: list[Fault] | None = None) -> str:
    """Return the page: the table with numbers of outcomes, and the outcomes with their tests."""
    known = declared() if faults is None else faults
    rows: dict[str, dict[str, list[str]]] = {}
    for number, fault in enumerate(known, start=1):
        row = rows.setdefault(fault.fault, {stage: [] for stage in STAGES})
        row[fault.stage].append(str(number))
    stages = [stage for stage in STAGES if any(fault.stage == stage for fault in known)]
    lines = [
        (name, *(", ".join(cells[stage]) for stage in stages))
        for name, cells in sorted(rows.items())
    ]
    outcomes = [
        f"**{number}**. {fault.fault}, *{fault.stage}*: {fault.outcome}.\n`{fault.test}`\n"
        for number, fault in enumerate(known, start=1)
    ]
    return "\n".join(
        (
            "# Faults",
            "",
            "What is injected in the tests, and what has to become of it.",
            "A cell has the numbers of the outcomes below; it is there because a test is.",
            "Every stage is run by the same code, from its inputs to its output and its run: the "
            "first column is tested there.",
            "",
            "<!-- generated from the marks of the tests: python -m docs.generate.pages -->",
            "",
            table(("fault", *stages), lines),
            "## Outcomes",
            "",
            *outcomes,
        )
    )
