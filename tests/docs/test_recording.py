"""A benchmark's table goes into its record as it was printed."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.table import Table

from docs.generate import results
from tests.settings import ROOT


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with a folder of its own."""
    spec = importlib.util.spec_from_file_location("recording", ROOT / "benchmarks/recording.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.chdir(ROOT)
    (tmp_path / "speed.json").write_text(json.dumps({"title": "Speed", "summary": "How fast."}))
    return module


def _table() -> Table:
    table = Table("sample", "events/s")
    table.add_row("w", "12.3")
    table.add_row("mix")
    return table


def test_a_table_is_recorded(
    recording: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/speed.py", "300", "--record"])
    recording.show("speed", _table(), ["300 events"])
    record = json.loads((tmp_path / "speed.json").read_text())
    assert record["command"] == "python benchmarks/speed.py 300"
    assert record["columns"] == ["sample", "events/s"]
    assert record["rows"] == [["w", "12.3"], ["mix", ""]]
    page = results.benchmarks_page({"speed": record})
    assert "## Speed\n" in page
    assert "| w | 12.3 |" in page


def test_without_the_flag_nothing_is_recorded(
    recording: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (tmp_path / "speed.json").read_text()
    monkeypatch.setattr(sys, "argv", ["benchmarks/speed.py"])
    recording.show("speed", _table(), ["300 events"])
    assert (tmp_path / "speed.json").read_text() == before
    assert "12.3" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(path.stem for path in results.BENCHMARKS.glob("*.json")))
def test_every_record_has_a_benchmark_that_writes_it(name: str) -> None:
    source = (ROOT / f"benchmarks/{name}.py").read_text()
    assert f'show("{name}", ' in source or f'show(\n        "{name}"' in source
