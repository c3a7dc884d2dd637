"""MLflow's user interface in a real browser: what a person sees who has never seen the code."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from l1distill.artifacts.record import METRICS, Record
from l1distill.commands.ui import runs_page, server_command
from l1distill.core.workspace import file_hashes, write_json
from l1distill.registry.evidence import Evidence
from l1distill.tracking.multirun import SweepRun
from l1distill.tracking.outputs import log_outputs
from l1distill.tracking.registry import ModelRegistry
from l1distill.tracking.run_names import run_name
from l1distill.tracking.runs import stage_run
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import connect
from tests.e2e.browser import open_page
from tests.e2e.conftest import Project
from tests.servers import free_port, until_it_answers

NAME = "l1distill-anomaly"
pytestmark = pytest.mark.needs_program("chromium")


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """Ids of the runs of a sweep and its jobs, and the names of the jobs."""

    ids: list[str]
    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A version, the name of its student's run, and what was measured of it."""

    version: str
    student: str
    evidence: Evidence


@pytest.fixture(scope="module")
def database(line: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pipeline's tracking store."""
    return Path(shutil.copy(line.folder / "mlflow.db", tmp_path_factory.mktemp("story") / "db"))


@pytest.fixture(scope="module")
def jobs(line: Project, database: Path, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """Two students of a sweep, logged as if they had been trained: the sweep's run comes first."""
    before = mlflow.get_tracking_uri()
    settings = TrackingSettings(uri=f"sqlite:///{database}")
    config = OmegaConf.create(
        {
            "tracking": settings.model_dump(),
            "hydra": {
                "job": {"config_name": "student"},
                "overrides": {"task": ["student.weight_bits=4,8"]},
                "launcher": {"_target_": "hydra.BasicLauncher"},
                "sweep": {"dir": str(tmp_path_factory.mktemp("sweep"))},
            },
        }
    )
    sweep, ids, names = SweepRun(), [], []
    try:
        store = connect(settings)
        sweep.on_multirun_start(config)
        for bits in (4, 8):
            folder = tmp_path_factory.mktemp("job") / "student"
            record = _another_student(line.folder / "models/student", folder, bits)
            title = run_name("student", record.parameters)
            with stage_run(store, "student", {"overrides": f"bits={bits}"}, title) as run:
                run.log_parameters(record.parameters)
                log_outputs(run, record, folder, {"output_sha256": str(bits)})
            ids.append(run.run_id)
            names.append(title)
            sweep.on_job_end(config, JobReturn(status=JobStatus.COMPLETED, _return_value=0))
        parent = store.client.get_run(ids[0]).data.tags["mlflow.parentRunId"]
        sweep.on_multirun_end(config)
    finally:
        mlflow.set_tracking_uri(before)
    return Jobs(ids=[parent, *ids], names=names)


def _another_student(source: Path, folder: Path, bits: int) -> Record:
    shutil.copytree(source, folder)
    metrics = json.loads((folder / METRICS).read_text())
    write_json(folder / METRICS, {**metrics, "auc/a_4l": 0.7 + bits / 100})
    record = Record.read(source)
    changed = record.model_copy(
        update={
            "parameters": {**record.parameters, "student.weight_bits": bits},
            "files": file_hashes(folder),
            "model": None,
        }
    )
    changed.write(folder)
    return changed


@pytest.fixture(scope="module")
def server(line: Project, database: Path, jobs: Jobs) -> Iterator[str]:
    """MLflow's own server, as ``l1distill ui`` starts it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    process = subprocess.Popen(
        server_command(f"sqlite:///{database}", port),
        cwd=line.folder,
        env={**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until_it_answers(process, f"{address}/health")
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def champion(line: Project, database: Path) -> Champion:
    """The student that is in the trigger, as the store has it."""
    client = mlflow.MlflowClient(f"sqlite:///{database}")
    version = client.get_model_version_by_alias(NAME, "champion")
    tags = client.get_run(version.run_id).data.tags
    with contextlib.chdir(line.folder):
        evidence = ModelRegistry(client, NAME).evidence(str(version.version))
    assert evidence is not None
    student = client.get_run(tags["student_run"]).info.run_name
    return Champion(version=str(version.version), student=str(student), evidence=evidence)


def test_the_registered_model_says_which_student_is_in_the_trigger(
    server: str, champion: Champion, tmp_path: Path
) -> None:
    page = open_page(f"{server}/#/models/{NAME}", "registered_model", tmp_path)
    version = champion.version
    for text in (
        "Anomaly trigger. A quantized, pruned student network",
        "The champion is the student that runs in the trigger",
        f"champion version {version} 20",
        "it passes all gates, and there is no champion",  # of the first one
        f'mlflow.pyfunc.load_model("models:/{NAME}@champion")',
        "Last moves",
    ):
        assert text in page.text
    assert f'href="#/models/{NAME}/versions/{version}?workflowType=machine_learning"' in page.html


def test_a_version_is_a_model_card(server: str, champion: Champion, tmp_path: Path) -> None:
    version = champion.version
    page = open_page(f"{server}/#/models/{NAME}/versions/{version}", "version", tmp_path, 3200)
    student, teacher = champion.evidence.metrics, champion.evidence.teacher_metrics
    for text in (
        "Champion since 20",
        "the student that runs in the trigger",
        champion.student,
        "signal published AUC teacher AUC student AUC",
        f"0.96 {teacher['auc/a_4l']:.3f} ± {teacher['auc_error/a_4l']:.3f} "
        f"{student['auc/a_4l']:.3f} ± {student['auc_error/a_4l']:.3f}",
        f"this student VU9P {student['firmware/latency_ns']:.3g}",
        "teacher CNN AE QAT 4 bits (arXiv:2108.03986) VU9P 1,480 895 47",
        f"a_4l passed: {student['auc/a_4l']:.6g} [",
        f'mlflow.pyfunc.load_model("models:/{NAME}/{version}")',
        "Limitations:",
    ):
        assert text in page.text
    assert re.search(r" (\d+) of \1 gates of the set anomaly passed\.", page.text)
    (roc, _) = page.pictures()
    with urllib.request.urlopen(f"{server}/{roc}", timeout=60) as picture:
        assert picture.read(8) == b"\x89PNG\r\n\x1a\n"


def test_two_students_are_told_apart_where_they_are_compared(
    server: str, jobs: Jobs, tmp_path: Path
) -> None:
    _, four, eight = jobs.ids
    runs, experiments = quote(json.dumps([four, eight])), quote(json.dumps(["1"]))
    query = f"runs={runs}&experiments={experiments}"
    page = open_page(f"{server}/#/compare-runs?{query}", "compare", tmp_path, 3000)
    for text in (
        jobs.names[0],
        jobs.names[1],
        "student.weight_bits",  # in the plot of parameters that differ
        "auc/a_4l",
    ):
        assert text in page.text
    assert "4/6 bits" in jobs.names[0]
    assert "8/6 bits" in jobs.names[1]
    metrics = page.text.partition("Metrics Show diff only")[2].partition("Artifacts")[0]
    assert {"0.74", "0.78"} <= set(metrics.split())


def test_a_sweep_shows_its_jobs_with_what_came_out(server: str, jobs: Jobs, tmp_path: Path) -> None:
    page = open_page(f"{server}/#/experiments/1/runs/{jobs.ids[0]}", "sweep", tmp_path, 1200)
    for text in (
        "student sweep weight_bits 4,8",
        "2 jobs of l1distill student -m student.weight_bits=4,8",
        f"{jobs.names[0]} finished 0.74 ±",
        f"{jobs.names[1]} finished 0.78 ±",
    ):
        assert text in page.text


def test_the_runs_open_in_the_view_of_trained_models(server: str, tmp_path: Path) -> None:
    """Not in that of language models, with traces and judges.

    MLflow 3.17 goes by the address and by what the browser remembers, not by the experiment's kind.
    """
    page = open_page(runs_page(server, "l1distill"), "runs", tmp_path, 1000)
    for text in (
        "Runs of l1distill: each stage of the pipeline",
        "Model registry",
        "Run Name",
        "student sweep weight_bits 4,8",
    ):
        assert text in page.text
    assert "Judges" not in page.text
