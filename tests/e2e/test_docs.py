"""Blocks of the README and the documentation that are run in the pipeline of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import metrics, record, results
from tests.docs.blocks import Block, all_blocks
from tests.e2e.conftest import Project
from tests.settings import ROOT

EXECUTED = [block for block in all_blocks() if block.mark == "pipeline"]
HAND_OVER = "hand_over_firmware.md"
FOLDERS = {"synthesize": "firmware/student", "student": "models/student"}


@pytest.mark.parametrize("block", EXECUTED, ids=str)
def test_a_block_of_the_pages_runs(line: Project, block: Block) -> None:
    if block.language == "python":
        line.run(sys.executable, "-c", block.content)
    else:
        line.run("bash", "-euo", "pipefail", "-c", block.content)


def test_a_bundle_is_checked_without_the_package(line: Project, tmp_path: Path) -> None:
    (block,) = [
        block
        for block in all_blocks()
        if block.path.name == HAND_OVER and "test_docs.py" in block.mark
    ]
    bundle = line.folder / "firmware/student/bundle.tar.gz"
    (tmp_path / bundle.name).write_bytes(bundle.read_bytes())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.content],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (tmp_path / "vectors/output.txt").write_text("1\n")
    again = subprocess.run(
        ["sha256sum", "--check", "--quiet", "MANIFEST"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert again.returncode != 0


def test_every_metric_in_the_store_is_described(line: Project) -> None:
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    names = {name for run in runs for name in run.data.metrics}
    assert len(names) > 50
    wrong = {name: found for name in names if len(found := metrics.patterns_of(name)) != 1}
    assert wrong == {}, "describe them in docs/reference/metrics.yaml"


def test_every_file_of_the_reference_is_written(line: Project) -> None:
    text = (ROOT / "docs/reference/outputs.md").read_text(encoding="utf-8")
    for name in ("metrics.json", "summary.json", "record.json"):
        assert f"`{name}`" in text
        for folder in record.OUTPUTS.values():
            assert (line.folder / folder / name).is_file(), f"{folder}/{name}"
    firmware = text.split("## Firmware\n")[1].split("\n## ")[0]
    paths = [row.split("|")[1] for row in firmware.splitlines() if row.startswith("| `")]
    names = [name.strip(" `") for path in paths for name in path.split(",")]
    assert len(names) >= 8
    for name in names:
        assert (line.folder / "firmware/student" / name).exists(), name


def test_the_figures_of_a_run_are_recorded(line: Project) -> None:
    """What ``make results`` writes, from the outputs of this pipeline."""
    recorded = record.quick_record(line.folder)
    assert recorded["background"] == 400
    assert set(recorded["metrics"]) == set(record.OUTPUTS)
    page = results.quick_page(recorded)
    assert f"`{recorded['dataset_md5'][:12]}`" in page
    lut = recorded["metrics"]["synthesize"]["firmware/lut"]
    assert f"{lut:,.0f} LUT" in results.readme_block(recorded)
