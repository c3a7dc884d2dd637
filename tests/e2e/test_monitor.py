"""Drift, from new events to a retraining: with collisions of more pileup, and without."""

import json
import os
import re
import subprocess
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pytest

from docs.generate import metrics
from tests.docs.blocks import blocks_of
from tests.e2e.conftest import Project, with_own_store
from tests.settings import ROOT

NAME = "l1distill-anomaly"


@pytest.fixture(scope="module")
def store(line: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The pipeline with a copy of its tracking store."""
    return with_own_store(line, tmp_path_factory.mktemp("monitor"))


def _client(store: Project) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(store.environment["MLFLOW_TRACKING_URI"])


def _run_of_monitor(store: Project) -> mlflow.entities.Run:
    client = _client(store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return client.search_runs(
        experiments,
        "tags.stage = 'monitor'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )[0]


def test_more_pileup_is_drift(store: Project, tmp_path: Path) -> None:
    new = "data.generator.pileup=90 data.generator.background=150 data.generator.signal=1 seed=5"
    done = store.l1distill(
        "monitor", "--overrides", new, "input_rate_khz=750", f"output={tmp_path}/monitor",
        check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    (said,) = [text for text in done.stderr.splitlines() if text.startswith("l1distill:")]
    assert f"{NAME} version " in said
    assert "of 150 new events against " in said
    assert re.search(r" (PSI|KS) [\d.]+ ± [\d.]+ \(limit ", said)
    assert " kHz" in said
    report = json.loads((tmp_path / "monitor/drift.json").read_text())
    drifted = {finding["what"] for finding in report["findings"] if finding["drifted"]}
    assert "score" in {finding["what"] for finding in report["findings"]}
    assert {"pT of MET [GeV]", "pT of jet 2 [GeV]"} & drifted, "what pileup changes first"
    assert not [name for name in drifted if name.startswith("phi of electron")]

    run = _run_of_monitor(store)
    assert run.info.status == "FINISHED", "the work was done"
    assert run.data.metrics["drift/alarms"] == len(
        [finding for finding in report["findings"] if finding["drifted"]]
    )
    assert all(len(metrics.patterns_of(name)) == 1 for name in run.data.metrics)
    note = run.data.tags["mlflow.note.content"]
    assert "| score | PSI | " in note
    assert f"get-artifact?path=plots/scores.png&run_uuid={run.info.run_id}" in note
    logged = {file.path for file in _client(store).list_artifacts(run.info.run_id, "plots")}
    assert {"plots/scores.png", "plots/inputs.png", "plots/stability.png"} <= logged
    assert not list(tmp_path.glob(".monitor*/")), "the new events are not kept twice"


def test_events_like_those_of_the_training_are_no_drift(store: Project, tmp_path: Path) -> None:
    """From a file, and from the data set itself."""
    files = f"data=public data.files.background={store.folder}/data/anomaly/background.h5"
    done = store.l1distill("monitor", "--overrides", files, f"output={tmp_path}/files")
    assert f"{NAME} version" in done.stdout
    assert "no drift in " in done.stdout
    report = json.loads((tmp_path / "files/drift.json").read_text())
    assert report["events"][1] == 400
    assert report["rate"]["reference"] == pytest.approx(0.01, abs=0.01)
    assert not any(finding["drifted"] for finding in report["findings"])


def test_a_few_odd_events_are_no_alarm(store: Project, tmp_path: Path) -> None:
    """However large a difference is: six events prove nothing."""
    with h5py.File(store.folder / "data/anomaly/background.h5") as file:
        particles = file["Particles"][:6]
    with h5py.File(tmp_path / "few.h5", "w") as file:
        file["Particles"] = particles.astype(np.float32)
    words = f"data=public data.files.background={tmp_path}/few.h5"
    done = store.l1distill("monitor", "--overrides", words, f"output={tmp_path}/few", check=False)
    assert done.returncode == 0, done.stderr
    assert "of 6 new events" in done.stdout


def test_what_cannot_be_compared_is_one_line(store: Project, tmp_path: Path) -> None:
    runs = len(_client(store).search_runs(["1"], "tags.stage = 'monitor'"))
    where = f"output={tmp_path}/refused"
    for arguments, reason in (
        (("tracking.model_name=nobody",), "nobody: has no champion; promote a student first"),
        (("data=public",), "data.files.background: give it a file"),
        (("data=public", "data.files.background=nope.h5"), "nope.h5: no such file"),
        (("drift.psi_max=0",), "drift.psi_max"),
        (("drift.psi=1",), "did you mean drift.psi_max?"),
    ):
        done = store.l1distill("monitor", *arguments, where, check=False)
        assert done.returncode == 2, done.stderr
        assert reason in done.stderr
    nowhere = store._replace(
        environment={**store.environment, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/no.db"}
    )
    done = nowhere.l1distill("monitor", where, check=False)
    assert done.returncode == 2
    assert "there is no tracking store yet" in done.stderr
    assert len(_client(store).search_runs(["1"], "tags.stage = 'monitor'")) == runs
    assert not (tmp_path / "refused").exists()


def test_a_reference_that_was_changed_is_refused(store: Project, tmp_path: Path) -> None:
    client = _client(store)
    version = client.get_model_version_by_alias(NAME, "champion")
    folder = client.get_run(version.tags["promotion_run"]).info.artifact_uri
    path = Path(str(folder).removeprefix("file://")) / "reference.npz"
    path = path if path.is_absolute() else store.folder / path
    kept = path.read_bytes()
    words = f"data=public data.files.background={store.folder}/data/anomaly/background.h5"
    try:
        path.write_bytes(kept[:-1])
        done = store.l1distill("monitor", "--overrides", words, f"output={tmp_path}/x", check=False)
    finally:
        path.write_bytes(kept)
    assert done.returncode == 2
    assert "reference.npz in the store is not what was recorded" in done.stderr


@pytest.mark.parametrize(("status", "retrained"), [(3, True), (0, False), (2, False)])
def test_the_scheduled_job_retrains_where_there_is_drift(
    tmp_path: Path, status: int, retrained: bool
) -> None:
    """With the job of the documentation, and programs that note how they were called."""
    page = ROOT / "docs/how-to/monitor.md"
    (job,) = [block.content for block in blocks_of(page) if block.mark.endswith("test_monitor.py")]
    for program, ends in (("l1distill", status), ("dvc", 0)):
        path = tmp_path / program
        path.write_text(f'#!/bin/sh\necho "{program} $* of $WEEK" >> called\nexit {ends}\n')
        path.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", job], cwd=tmp_path, env=environment, check=True)
    called = (tmp_path / "called").read_text().splitlines()
    assert re.fullmatch(r"l1distill monitor data=week of \d{4}-W\d\d", called[0])
    assert [line.partition(" of ")[0] for line in called[1:]] == ["dvc repro"] * retrained
