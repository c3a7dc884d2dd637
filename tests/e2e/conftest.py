"""The whole line, run once for all end-to-end tests, on a tiny profile in a temporary clone.

Each process of the tests has a copy.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import mlflow
import pytest
from filelock import FileLock

from l1distill.registry.evidence import Evidence
from tests.in_process import run_in_process
from tests.settings import ROOT


class Project(NamedTuple):
    """A clone in which things may be run, changed and broken."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in the clone."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def l1distill(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a stage."""
        done = run_in_process(*arguments, folder=self.folder, environment=self.environment)
        if check:
            assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs DVC."""
        return self.run("python", "-m", "dvc", *arguments)

    def client(self) -> mlflow.MlflowClient:
        """Returns a client of the clone's tracking store."""
        return mlflow.MlflowClient(f"sqlite:///{self.folder}/mlflow.db")


def _clone(target: Path) -> None:
    """Copies what git would, uncommitted changes included, into a repository of its own."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file() and Path(name).name != "dvc.lock":
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _environment(folder: Path, python: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "PATH": f"{python}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "COLUMNS": "200",
    }
    # MLflow writes what it was told in this process into the environment of its children
    return {name: text for name, text in environment.items() if not name.startswith("MLFLOW_")}


def edit(path: Path, pattern: str, replacement: str) -> None:
    """Changes a configuration file as a user would."""
    text, count = re.subn(pattern, replacement, path.read_text())
    assert count >= 1, f"{pattern} is not in {path}"
    path.write_text(text)


def experiment_command(project: Project, experiment: str) -> list[str]:
    """Reads the command that an experiment's first line gives, without the program's name."""
    text = (project.folder / f"conf/experiment/{experiment}.yaml").read_text()
    (command,) = re.findall(r"^# l1distill (.*)$", text, flags=re.MULTILINE)
    stage, *arguments = command.split()
    assert arguments == [f"experiment={experiment}"]
    return [stage, *arguments]


PATHS = (
    *(("experiments", "artifact_location"), ("runs", "artifact_uri")),
    *(("logged_models", "artifact_location"), ("model_versions", "storage_location")),
)
"""Tables and columns of MLflow's database that name files."""


def make_project(folder: Path, python: Path = Path(sys.executable).parent) -> Project:
    """Makes a clone, set to the tiny profile, in which nothing has run yet.

    Args:
        folder: of the clone.
        python: the folder of the Python that its commands run.
    """
    _clone(folder)
    edit(folder / "conf/base.yaml", "- profile: quick", "- profile: tiny")
    # A few hundred events cannot teach what the shipped thresholds ask for; what the gates do
    # with a bad student is tested on its own.
    edit(folder / "conf/gates/anomaly.yaml", r"min: 0\.\d+", "min: 0.0")
    edit(folder / "conf/gates/anomaly.yaml", r"max: 0\.5", "max: 100")
    edit(folder / "conf/gates/anomaly.yaml", r"max_width: 0\.06", "max_width: 1")
    edit(folder / "conf/gates/anomaly.yaml", "min: 10000", "min: 200")
    # ... nor resolve a working point
    edit(folder / "conf/gates/anomaly.yaml", "agreement_fpr1e-2", "mse_to_teacher")
    for key, many, few in (("verification", 10000, 256), ("adversarial", 2000, 100)):
        firmware = folder / "conf/firmware/default.yaml"
        edit(firmware, f"{key}_events: {many}", f"{key}_events: {few}")
    edit(folder / "conf/student/anomaly.yaml", r"layers: \[48\]", "layers: [8]")
    edit(folder / "conf/student/anomaly.yaml", "epochs: 120", "epochs: 12")
    edit(folder / "conf/student/family/mlp.yaml", r"layers: \[32, 16\]", "layers: [4]")
    edit(folder / "conf/student/family/mlp.yaml", "epochs: 60", "epochs: 28")  # pruning ends at 25
    edit(folder / "conf/distillation/response.yaml", "augmentation: task ", "augmentation: 0.5 ")
    project = Project(folder, _environment(folder, python))
    for command in (
        ("git", "init", "--quiet"),
        ("git", "add", "--all"),
        ("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "clone"),
    ):
        project.run(*command)
    return project


def with_own_store(line: Project, folder: Path) -> Project:
    """The pipeline with a copy of its tracking store, in which anything may be moved.

    Other tests leave other students in the folders: the champion is the one that is there now.
    """
    shutil.copy(line.folder / "mlflow.db", folder / "copy.db")
    uri = f"sqlite:///{folder}/copy.db"
    content = Evidence.read(line.folder / "promotion/evidence.json").content_sha256
    name = "l1distill-anomaly"
    client = mlflow.MlflowClient(uri)
    (version,) = client.search_model_versions(
        f"name = '{name}' and tags.content_sha256 = '{content}'"
    )
    client.set_registered_model_alias(name, "champion", version.version)
    return line._replace(environment={**line.environment, "MLFLOW_TRACKING_URI": uri})


@pytest.fixture(scope="session")
def whole_line(shared: Path, programs: Path) -> Project:
    """A clone after one ``dvc repro``, which all processes of the tests see: not to be changed."""
    folder, done = shared / "line", shared / "line.done"
    with FileLock(shared / "line.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make_project(folder, programs).dvc("repro")
            done.touch()
    return Project(folder, _environment(folder, programs))


@pytest.fixture(scope="session")
def line(whole_line: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of it, with a tracking store of its own."""
    folder = tmp_path_factory.mktemp("line") / "clone"
    shutil.copytree(whole_line.folder, folder, symlinks=True)
    with closing(sqlite3.connect(folder / "mlflow.db")) as store, store:
        for table, column in PATHS:
            store.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (str(whole_line.folder), str(folder)),
            )
    environment = {
        name: text.replace(str(whole_line.folder), str(folder))
        for name, text in whole_line.environment.items()
    }
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    yield Project(folder, environment)
    mlflow.set_tracking_uri(None)
