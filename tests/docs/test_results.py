"""Recorded results: pages and the README equal them, and they are of the outputs in dvc.lock."""

import json
import re
from pathlib import Path

import pytest

from docs.generate import pages, record, results
from tests.settings import ROOT


@pytest.mark.parametrize("path", sorted(pages.committed()), ids=lambda path: path.name)
def test_committed_pages_are_what_the_records_and_the_code_give(path: Path) -> None:
    wanted = pages.committed()[path]
    assert path.read_text(encoding="utf-8") == wanted, "run python -m docs.generate.pages"


def test_the_record_is_of_the_outputs_that_dvc_holds() -> None:
    quick = results.read(results.QUICK)
    locked = record.output_hashes(ROOT / "dvc.lock")
    assert quick["outputs"] == locked, "dvc.lock is of other outputs: run make repro, make results"


def test_every_record_says_where_it_comes_from() -> None:
    quick = results.read(results.QUICK)
    assert re.fullmatch(r"[0-9a-f]{40}", quick["commit"])
    assert re.fullmatch(r"[0-9a-f]{32}", quick["dataset_md5"])
    study = results.read(results.STUDY)
    assert study["dataset_md5"] in study["provenance"]
    for path in results.BENCHMARKS.glob("*.json"):
        benchmark = results.read(path)
        assert {"command", "provenance", "columns", "rows"} <= set(benchmark), path
        assert all(len(row) == len(benchmark["columns"]) for row in benchmark["rows"])
    for table in study["tables"]:
        assert all(len(row) == len(table["columns"]) for row in table["rows"])


def test_the_readme_is_short_and_plain() -> None:
    lines = results.README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    comments = re.compile(r"<!-- (docs-test|results): .*-->")
    assert [line for line in lines if "<" in line and not comments.fullmatch(line.strip())] == [
        line for line in lines if "l1distill <stage>" in line
    ]
    tables = sum(line.startswith("| ---") for line in lines)
    assert tables == 2, "one of results, one of links"


def test_the_readme_table_shows_the_numbers_of_the_record() -> None:
    """Rounded here, not by the code that writes it."""
    quick = results.read(results.QUICK)
    text = results.README.read_text(encoding="utf-8")
    for signal in quick["signals"]:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {signal['title']} ")]
        numbers = [float(number) for number in re.findall(r"\d\.\d+", row)]
        for model, column in (("teacher", 0), ("student", 2)):
            metrics = quick["metrics"][model]
            assert numbers[column] == pytest.approx(metrics[f"auc/{signal['name']}"], abs=5e-4)
            error = metrics[f"auc_error/{signal['name']}"]
            assert numbers[column + 1] == pytest.approx(error, abs=5e-4)
        assert numbers[4] == pytest.approx(signal["published"], abs=5e-3)
    assert f"{quick['metrics']['synthesize']['firmware/lut']:,.0f} LUT" in text


def test_a_readme_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="are missing"):
        results.in_readme("# l1distill\n", results.read(results.QUICK))


def test_the_tables_of_the_study_become_a_page(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Title\n\n## Table I\n\n| a |\n| --- |\n| 1 |\n\n![p](plots/p.png)\n")
    part = record.as_part(report)
    assert "| 1 |" in part
    assert "plots/" not in part
    page = results.study_page(results.read(results.STUDY), part)
    assert page.index("| 1 |") < page.index("CNN AE QAT 4 bits")


def test_missing_outputs_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert record.main() == 2
    assert capsys.readouterr().err == "data/anomaly: not there; run make repro first\n"


def test_the_provenance_of_the_study_is_the_readme_of_then() -> None:
    """The figures that were carried over by hand are kept to what was published with them."""
    study = json.loads(results.STUDY.read_text(encoding="utf-8"))
    titles = [table["title"] for table in study["tables"]]
    assert titles == ["AUC in floating point", "AUC in fixed point", "Firmware",
                      "Scores in firmware"]  # fmt: skip
    assert "not part of this repository" in study["provenance"]
