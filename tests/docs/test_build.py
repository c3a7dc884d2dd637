"""The documentation as ``make docs`` builds it: its notebooks run, a warning is an error."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.settings import ROOT

MAKE_DOCS = "sphinx-build -W --keep-going -q -b html docs docs/_build/html"
TUTORIALS = ("anomaly_pipeline", "your_model")


@pytest.mark.timeout(1800)
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    assert f"$(BIN)/{MAKE_DOCS}" in (ROOT / "Makefile").read_text()
    words = MAKE_DOCS.split()[1:-1]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(tmp_path / "html")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for name in TUTORIALS:
        page = (tmp_path / "html/tutorials" / f"{name}.html").read_text()
        assert "cell_output" in page, f"{name}: no cell has run"
