"""What the project promises about itself."""

import hashlib
import importlib
import re
import subprocess

import pytest
import yaml
from omegaconf import OmegaConf

from l1distill.cli import STAGES
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse
from l1distill.tasks.base import load_task
from l1distill.tasks.settings import TaskSettings
from tests.settings import ROOT

KEYWORD = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==", flags=re.MULTILINE)


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", lock[lock.index("\n", lock.index("uv pip compile")) :])
    assert len(blocks) > 150
    assert all("--hash=sha256:" in block for block in blocks if KEYWORD.search(block))
    assert not re.search(r"https?://|^--|@ file:", lock, flags=re.MULTILINE)


def test_mlflow_rebuilds_its_environment_when_the_lock_changes() -> None:
    sha256 = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    (dependency,) = OmegaConf.load(ROOT / "python_env.yaml").dependencies
    assert dependency == f"-r requirements.lock # sha256 {sha256[:16]}"


@pytest.mark.parametrize("command", ["make repro", "make test"])
def test_the_two_commands_are_on_the_first_screen(command: str) -> None:
    first_screen = (ROOT / "README.md").read_text().splitlines()[:24]
    assert any(line.startswith(command) for line in first_screen)


def test_make_alone_lists_its_targets() -> None:
    listing = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(
        target in listing
        for target in ("repro", "check", "test", "lint", "docs", "durations", "ui", "lock")
    )


def test_another_python_is_one_line() -> None:
    done = subprocess.run(
        ["make", "PYTHON=false", "VENV=build/none", "setup"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert "needs Python 3.11" in line
    assert not (ROOT / "build").exists()


def test_every_entry_point_of_mlflow_is_a_stage() -> None:
    entry_points = OmegaConf.load(ROOT / "MLproject").entry_points
    assert set(entry_points) == {"main", *STAGES}
    for stage in STAGES:
        assert list(entry_points[stage].parameters) == ["overrides"]
        assert f"l1distill {stage} --overrides {{overrides}}" in entry_points[stage].command


PIPELINES = {"dvc.yaml": ()} | {
    f"pipelines/{path.parent.name}/dvc.yaml": (f"task={path.parent.name}",)
    for path in sorted(ROOT.glob("pipelines/*/dvc.yaml"))
}
"""The pipelines, each with the overrides of its stages."""


OF_A_STAGE = {
    ("pipelines/pileup/dvc.yaml", "synthesize"): (
        " device=vu13p",
        {"../../conf/firmware/device/vu13p.yaml"},
    )
}
"""What a stage of a pipeline is told besides, and the file that it then depends on, since
fingerprints hold the default."""


@pytest.mark.parametrize("definition", PIPELINES)
def test_every_stage_of_dvc_is_a_stage_with_a_fingerprint(definition: str) -> None:
    """DVC runs each stage as a person would, after it has looked at what it depends on."""
    pipeline = yaml.safe_load((ROOT / definition).read_text())["stages"]
    words = "".join(f" {word}" for word in PIPELINES[definition])
    fingerprint = pipeline.pop("fingerprint")
    assert fingerprint["cmd"] == f"python -m l1distill fingerprint{words}"
    assert fingerprint["always_changed"] is True
    assert fingerprint["outs"] == [
        {f".fingerprints/{stage}.json": {"cache": False, "persist": True}} for stage in pipeline
    ]
    assert set(pipeline) <= set(STAGES)
    written_by = {next(iter(out)): name for name, box in pipeline.items() for out in box["outs"]}
    for stage, box in pipeline.items():
        # a student that is refused is no failure of the pipeline
        refused = " require_promotion=false" if stage == "promote" else ""
        told, files = OF_A_STAGE.get((definition, stage), ("", set()))
        assert box["cmd"] == f"python -m l1distill {stage}{words}{told}{refused}"
        assert box["deps"][0] == f".fingerprints/{stage}.json"
        others = set(box["deps"][1:]) - files
        assert others <= set(written_by), "only folders that another stage writes"


@pytest.mark.parametrize("definition", PIPELINES)
@pytest.mark.parametrize(
    "stage", ["generate", "teacher", "student", "synthesize", "promote", "report"]
)
def test_dvc_knows_the_folders_that_a_stage_reads_and_writes(stage: str, definition: str) -> None:
    pipeline = yaml.safe_load((ROOT / definition).read_text())["stages"]
    composed = to_plain(compose_stage(stage, PIPELINES[definition]).config)
    (output,) = pipeline[stage]["outs"]
    assert list(output) == [composed["output"]]
    module = importlib.import_module(f"l1distill.stages.{stage}")
    task = load_task(parse(TaskSettings, composed["task"]))
    inputs = module.STAGE.inputs(parse(module.STAGE.settings_for(task, composed), composed))
    _, files = OF_A_STAGE.get((definition, stage), ("", set()))
    for file in files:
        assert ((ROOT / definition).parent / file).is_file()
    folders = {str(folder) for folder in inputs.values()}
    assert folders | files == set(pipeline[stage]["deps"][1:])


def test_nothing_large_is_in_git() -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    sizes = {name: (ROOT / name).stat().st_size for name in names if (ROOT / name).is_file()}
    assert {name: size for name, size in sizes.items() if size > 2**20} == {}
