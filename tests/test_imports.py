"""Directions of imports as ``make test`` checks them, and that the check finds what it should."""

import graphlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.settings import ROOT


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command of ``make lint`` on the sources in a folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the sources and the contracts, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "conf")
    )
    return tmp_path


def test_the_contracts_are_kept() -> None:
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
    assert "ignored import" not in done.stdout


FORBIDDEN = {
    "core/errors.py": "from l1distill.data.card import Card",
    "training/fit.py": "from l1distill.tasks.anomaly import events",
    "tracking/outputs.py": "from l1distill.tasks import base",
    "tasks/anomaly/losses.py": "import l1distill.stages.stage",
    "tracking/record.py": "from l1distill.stages import stage",
    "stages/teacher.py": "import mlflow.tracking",
    "tasks/anomaly/events.py": "from hydra import compose",
    "data/splits.py": "import matplotlib.pyplot",
    "core/workspace.py": "from l1distill.core.settings import Settings",
    "new_package/__init__.py": "",
}
"""One import for each direction that is closed, and a package that no layer names."""


def test_each_forbidden_import_is_found_also_inside_functions(copy: Path) -> None:
    """All at once: what is named in the output is what is wrong."""
    for name, line in FORBIDDEN.items():
        path = copy / "src/l1distill" / name
        path.parent.mkdir(exist_ok=True)
        before = path.read_text() if path.exists() else ""
        path.write_text(f"{before}\n\ndef _late() -> None:\n    {line or 'pass'}\n")
    done = _lint(copy)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "0 kept, 5 broken" in said
    for importer, imported in (
        ("core.errors", "l1distill.data.card"),
        ("training.fit", "l1distill.tasks.anomaly.events"),
        ("tracking.outputs", "l1distill.tasks.base"),
        ("tasks.anomaly.losses", "l1distill.stages.stage"),
        ("tracking.record", "l1distill.stages.stage"),
        ("stages.teacher", "mlflow"),
        ("tasks.anomaly.events", "hydra"),
        ("data.splits", "matplotlib"),
    ):
        assert f"l1distill.{importer} -> {imported}" in said
    assert "No cycles are allowed in l1distill.core" in said
    assert "new_package" in said


def test_no_module_imports_itself_in_a_circle() -> None:
    """Also between a package's ``__init__`` and its modules, which the contract does not see."""
    graph = grimp.build_graph("l1distill", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert sum(map(len, imports.values())) > 500
    order = list(graphlib.TopologicalSorter(imports).static_order())  # raises CycleError
    assert order.index("l1distill.core.errors") < order.index("l1distill.cli")
