"""What decides whether DVC runs a stage again: with real DVC, on a pipeline of stages that do
nothing but write, and on the shipped configuration."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from l1distill import cli
from l1distill.commands.fingerprint import run
from l1distill.core.closure import closure_of
from l1distill.core.errors import ConfigError
from l1distill.stages.fingerprint import _versions, fingerprint, versions
from tests.settings import ROOT

PIPELINE = ("generate", "teacher", "student", "synthesize", "promote", "report")


@pytest.fixture(autouse=True)
def _no_version_is_known() -> None:
    _versions.cache_clear()


class Checkout:
    """A copy of the project whose stages only write a file, in which files may be changed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder / "src"))

    def repro(self) -> set[str]:
        """Run ``dvc repro`` and return the names of the stages that ran, but for fingerprint."""
        from dvc.repo import Repo

        ran = [stage.addressing for stage in Repo().reproduce()]
        assert ran[0] == "fingerprint"
        return set(ran[1:])

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


def _copy(target: Path) -> None:
    """Copies the sources and the configuration, without whatever they wrote."""
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    definition = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage in PIPELINE:
        (output,) = definition[stage]["outs"]
        (folder,) = output
        definition[stage]["cmd"] = f"mkdir -p {folder} && date +%N > {folder}/time"
    (target / "dvc.yaml").write_text(yaml.safe_dump({"stages": definition}, sort_keys=False))
    shutil.copy(ROOT / ".gitignore", target)


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("pipeline")
    _copy(folder)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(folder.parent / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    _git(folder, "init", "--quiet")
    Repo.init(str(folder), subdir=False)
    return Checkout(folder, monkeypatch)


def _git(folder: Path, *arguments: str) -> None:
    name = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")
def test_dvc_runs_what_a_change_reaches_and_nothing_else(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    assert checkout.repro() == set(PIPELINE)

    # What no stage composes: a comment, a new choice, another choice's values, where things run.
    checkout.edit("conf/student/family/mlp.yaml", "layers:", "# a comment\nlayers:")
    (checkout.folder / "conf/student/wide.yaml").write_text("layers: [64]\n")
    checkout.edit("conf/teacher/dnn_vae.yaml", "epochs:", "epochs: 3  # was")
    checkout.edit("conf/platform.yaml", "model_name: l1distill-${task.name}", "model_name: other")
    checkout.edit("conf/executor/processes.yaml", "workers: null", "workers: 2")
    # Nor what no stage imports.
    checkout.edit("src/l1distill/cli.py", "import sys", "import sys  # changed")
    assert checkout.repro() == set()

    # A value that the student composes, and what follows from another student.
    checkout.edit("conf/student/anomaly.yaml", "weight_bits: 5", "weight_bits: 6")
    assert checkout.repro() == {"student", "synthesize", "promote", "report"}

    # A module that the report alone imports.
    checkout.edit("src/l1distill/reporting/page.py", '"""', '# changed\n"""')
    assert checkout.repro() == {"report"}

    # Another clone, with the outputs pulled, has nothing to do.
    _git(checkout.folder, "add", "--all")
    _git(checkout.folder, "commit", "--quiet", "--message", "pipeline")
    _git(checkout.folder, "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Checkout(tmp_path / "clone", monkeypatch)
    assert not (clone.folder / ".fingerprints").exists()
    shutil.copytree(checkout.folder / ".dvc/cache", clone.folder / ".dvc/cache")
    Repo().checkout()
    assert clone.repro() == set()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone.folder, capture_output=True, check=True
    )
    assert status.stdout == b""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("l1distill", exclude_type_checking_imports=True, cache_dir=None)


@pytest.fixture(scope="module")
def loaded_with_the_task() -> set[str]:
    """Modules of ours that Python loads when it imports the task."""
    script = "import sys, l1distill.tasks.anomaly.task; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name for name in done.stdout.split() if name.split(".")[0] == "l1distill"}


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_module_that_a_stage_imports_is_in_its_fingerprint(
    graph: grimp.ImportGraph, loaded_with_the_task: set[str], stage: str
) -> None:
    """By grimp, also what it imports when it runs; of the task what Python loads with it."""
    module = f"l1distill.stages.{stage}"
    imported = {module} | graph.find_upstream_modules(module) | loaded_with_the_task
    assert len(imported) > 20
    assert "l1distill/stages/results" in _listed(stage)
    assert {name.replace(".", "/") for name in imported} <= _listed(stage)


def _listed(stage: str) -> set[str]:
    """Modules in a stage's fingerprint, as paths."""
    sources = fingerprint(stage)["sources"]
    return {name.removesuffix(".py").removesuffix("/__init__") for name in sources}


def test_a_stage_depends_on_what_it_calls_of_its_task_alone() -> None:
    """Another teacher, plot or study leaves the data as they are; other collisions do not."""
    task = "l1distill/tasks/anomaly"
    assert {f"{task}/{name}" for name in ("task", "generation", "generator/shard")} <= _listed(
        "generate"
    )
    assert "l1distill/simulation/pileup" in _listed("generate")
    for name in ("teachers", "teacher", "losses", "study_pages", "plots/training", "comparison"):
        assert f"{task}/{name}" not in _listed("generate"), name
    assert {f"{task}/teachers", f"{task}/plots/training"} <= _listed("teacher")
    for name in ("study_pages", "generator/shard", "comparison"):
        assert f"{task}/{name}" not in _listed("teacher"), name
    # a student may train its teacher with it, or ask its network
    assert f"{task}/teachers" in _listed("student")
    for name in ("study_pages", "generator/shard", "comparison"):
        assert f"{task}/{name}" not in _listed("student"), name
    assert f"{task}/teachers" not in _listed("synthesize")
    assert f"{task}/comparison" in _listed("report")
    assert f"{task}/study_pages" in _listed("paper")


@pytest.mark.parametrize("stage", sorted(cli.STAGES))
def test_a_fingerprint_holds_what_the_stage_composes(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against what Hydra's own command line prints for the stage."""
    assert cli.main([stage, "--cfg", "job", "--resolve"]) == 0
    composed = yaml.safe_load(capsys.readouterr().out)
    assert {"output", "tracking"} < set(composed)
    for section in ("output", "executor", "tracking", "require_promotion", "dry_run", "candidate"):
        composed.pop(section, None)
    assert fingerprint(stage)["settings"] == composed
    assert composed["seed"] == 2026


def test_versions_are_those_of_the_installed_distributions() -> None:
    third_party = _third_party()
    assert {"tensorflow", "sklearn", "numpy", "pythia8mc"} <= third_party
    found = {_normal(name): version for name, version in versions(third_party)}
    by_package = importlib.metadata.packages_distributions()
    expected = set()
    for package in third_party:
        names = {_normal(name) for name in by_package[package]}
        assert names & set(found), f"{package} is of {names}"
        expected |= names
    assert set(found) <= expected
    assert found == {name: importlib.metadata.version(name) for name in found}


def _third_party() -> set[str]:
    """All packages that stages and the default task import."""
    modules = [f"l1distill.stages.{stage}" for stage in cli.STAGES]
    return set(closure_of([*modules, "l1distill.tasks.anomaly.task"]).third_party)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_common_packages_are_found_without_reading_all_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unexpected() -> Any:
        raise AssertionError("reads the records of every installed distribution")

    third_party = _third_party()
    monkeypatch.setattr(importlib.metadata, "packages_distributions", unexpected)
    assert all(version for _, version in versions(third_party))


def test_a_package_that_is_called_otherwise_or_is_missing() -> None:
    assert dict(versions(["hydra", "no_such_package"])) == {
        "hydra-core": importlib.metadata.version("hydra-core"),
        "no_such_package": None,
    }


def test_an_upgraded_package_changes_the_fingerprint_of_who_imports_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {stage: fingerprint(stage) for stage in PIPELINE}
    version = importlib.metadata.version

    def changed_by(package: str) -> set[str]:
        monkeypatch.setattr(
            importlib.metadata, "version", lambda name: "99" if name == package else version(name)
        )
        _versions.cache_clear()
        return {stage for stage in PIPELINE if fingerprint(stage) != before[stage]}

    assert changed_by("pythia8mc") == {"generate"}
    by_tensorflow = changed_by("tensorflow")
    assert {"teacher", "student"} <= by_tensorflow
    assert "generate" not in by_tensorflow


def test_a_foreign_task_is_in_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "letters").mkdir()
    for name in ("__init__", "task", "layers"):
        (tmp_path / f"letters/{name}.py").write_text("from letters import layers\n")
    own = tmp_path / "conf/task/anomaly.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("name: anomaly\nmodule: letters.task\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sources = fingerprint("teacher")["sources"]
    assert {"letters/task.py", "letters/layers.py", "l1distill/stages/teacher.py"} <= set(sources)
    assert "l1distill/tasks/anomaly/task.py" not in sources


def test_it_writes_only_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("conf", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    run([])
    assert set(capsys.readouterr().out.splitlines()) == {f"{stage}: new" for stage in PIPELINE}
    files = {stage: tmp_path / f".fingerprints/{stage}.json" for stage in PIPELINE}
    inodes = {stage: path.stat().st_ino for stage, path in files.items()}
    content = files["student"].read_text()
    files["student"].write_text(content.replace('"weight_bits": 5', '"weight_bits": 7'))
    files["report"].write_text("cut off {")
    promote = json.loads(files["promote"].read_text())
    promote["sources"] = dict.fromkeys(list(promote["sources"])[:-8], "")
    files["promote"].write_text(json.dumps(promote))
    run([])
    student, promoted, report = capsys.readouterr().out.splitlines()
    assert (student, report) == ("student: student.weight_bits", "report: new")
    assert re.fullmatch(r"promote: l1distill/__init__\.py, ([\w/.]+, ){4}\d+ more", promoted)
    assert files["student"].read_text() == content
    assert {stage for stage in PIPELINE if files[stage].stat().st_ino != inodes[stage]} == {
        "student",
        "promote",
        "report",
    }


def test_it_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom l1distill.cli import main\n"
        "assert main(['fingerprint']) == 0\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "hydra" in loaded
    assert not loaded & {"tensorflow", "mlflow", "pydantic", "numpy", "dvc"}


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (None, "dvc.yaml: no such file"),
        ("stages: {}", "no stage fingerprint"),
        ("stages: {fingerprint: {outs: [{a.json: {cache: false}}]}}", "a.json: not in"),
        ("stages: {fingerprint: {outs: [{.fingerprints/x.json: {}}]}}", "x: "),
    ],
)
def test_a_definition_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, definition: str | None, message: str
) -> None:
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    if definition is not None:
        (tmp_path / "dvc.yaml").write_text(definition)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(message)):
        run([])


@pytest.mark.parametrize("word", ["--force", "teacher"])
def test_it_takes_overrides_alone(word: str) -> None:
    with pytest.raises(ConfigError, match=rf"{word}: .*overrides alone"):
        run([word])


def test_overrides_are_those_of_all_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").symlink_to(ROOT / "pipelines/jets/dvc.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="task=jet: no such choice; did you mean jets"):
        run(["task=jet"])
    assert not (tmp_path / ".fingerprints").exists()
    run(["task=jets"])
    written = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob(".fingerprints/*")}
    assert set(written) == set(PIPELINE)
    assert {one["settings"]["task"]["name"] for one in written.values()} == {"jets"}
    assert "l1distill/tasks/jets/teacher.py" in written["teacher"]["sources"]
