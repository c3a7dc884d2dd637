"""Promotion, rollback and history by the command line, and the model that is served."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pytest

from l1distill.artifacts.record import Record
from l1distill.core.workspace import file_sha256, folder_sha256
from l1distill.data.encoding import InputEncoding
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.registry.evidence import Evidence
from tests.e2e.conftest import Project, with_own_store
from tests.servers import free_port, until_it_answers

NAME = "l1distill-anomaly"


@pytest.fixture
def store(line: Project, tmp_path: Path) -> Project:
    """The pipeline with a copy of its tracking store, in which anything may be moved."""
    return with_own_store(line, tmp_path)


def _client(store: Project) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(store.environment["MLFLOW_TRACKING_URI"])


def _a_better_champion(store: Project, folder: Path) -> str:
    """Registers a version that was measured to be better, and moves the alias by hand."""
    client = _client(store)
    evidence = Evidence.read(store.folder / "promotion/evidence.json")
    better = {
        name: value + 0.5 * (1 - value) if name.startswith("auc/") else value
        for name, value in evidence.metrics.items()
    }
    small = {name: 1e-4 for name in better if name.startswith("auc_error/")}
    replace(evidence, content_sha256="better", metrics={**better, **small}).write(
        folder / "evidence.json"
    )
    experiment = client.get_experiment_by_name("l1distill")
    assert experiment is not None
    run = client.create_run(experiment.experiment_id)
    client.log_artifact(run.info.run_id, str(folder / "evidence.json"))
    tags = {"content_sha256": "better", "verdict": "passed"}
    version = client.create_model_version(NAME, "runs:/x/model", run.info.run_id, tags=tags)
    client.set_registered_model_alias(NAME, "champion", version.version)
    return str(version.version)


def test_a_student_that_is_not_better_is_challenger_until_a_rollback(
    store: Project, tmp_path: Path
) -> None:
    client = _client(store)
    own = str(client.get_model_version_by_alias(NAME, "champion").version)
    better = _a_better_champion(store, tmp_path)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = len(client.search_runs(experiments))
    where = f"output={tmp_path}/promotion"

    rehearsed = store.l1distill("promote", "--dry-run", where, check=False)
    assert rehearsed.returncode == 3
    assert "dry run: is challenger, not promoted" in rehearsed.stdout
    assert "worse than the champion's" in rehearsed.stderr
    assert not (tmp_path / "promotion").exists()
    assert len(client.search_runs(experiments)) == runs

    done = store.l1distill("promote", where, check=False)
    assert done.returncode == 3
    (message,) = [text for text in done.stderr.splitlines() if text.startswith("l1distill:")]
    assert f"{NAME} version {own} is not promoted: the mean of auc/lq_btau" in message
    aliases = client.get_registered_model(NAME).aliases
    assert {name: str(version) for name, version in aliases.items()} == {
        "champion": better,
        "challenger": own,
    }
    tags = client.get_model_version(NAME, own).tags
    assert (tags["verdict"], tags["outcome"]) == ("passed", "challenger")
    verdict = json.loads((tmp_path / "promotion/verdict.json").read_text())
    assert verdict["comparison"]["gain"] < 0
    (run,) = client.search_runs(
        experiments,
        "tags.stage = 'promote'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    assert run.info.status == "FINISHED", "the work was done"
    assert run.data.metrics["promoted"] == 0.0
    logged = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"verdict.json", "evidence.json"} <= logged

    said = store.l1distill("rollback", f"version={own}", "reason=noisy").stdout
    assert said == f"{NAME} version {own} is champion, version {better} was: noisy\n"
    assert int(client.get_registered_model(NAME).aliases["champion"]) == int(own)
    events = [
        json.loads(text) for text in store.l1distill("history", "format=json").stdout.splitlines()
    ]
    assert [event["action"] for event in events][-3:] == ["outside", "challenge", "rollback"]
    assert events[-1]["reason"] == "noisy"
    commit = store.run("git", "rev-parse", "HEAD").stdout.strip()
    assert {event["commit"] for event in events} == {commit}
    table = store.l1distill("history").stdout
    assert f"{better} → {own}" in table
    assert f"champion: version {own}" in table

    refused = store.l1distill(
        "promote", "gates.lut.max=0", "require_promotion=false", f"output={tmp_path}/refused"
    )
    assert "stays champion because no other version passes" in refused.stdout
    assert int(client.get_registered_model(NAME).aliases["champion"]) == int(own)


@pytest.mark.fault(
    stage="promote",
    fault="changed or missing file in the store",
    outcome="one line that names the file; no alias moves, no output is written",
)
def test_what_is_damaged_in_the_store_is_not_promoted(store: Project, tmp_path: Path) -> None:
    client = _client(store)
    champion = client.get_model_version_by_alias(NAME, "champion")
    own = champion.version
    model = client.get_logged_model(str(champion.source).removeprefix("models:/"))
    (path,) = Path(str(model.artifact_location)).rglob("emulator.json")
    kept = path.read_bytes()
    try:
        path.write_bytes(kept.replace(b"1", b"2", 1))
        done = store.l1distill("promote", f"output={tmp_path}/promotion", check=False)
        path.unlink()
        missing = store.l1distill("promote", f"output={tmp_path}/promotion", check=False)
    finally:
        path.write_bytes(kept)
    assert (done.returncode, missing.returncode) == (2, 2)
    assert f"models:/{NAME}/{own}: emulator.json in the store is not what was logged" in done.stderr
    assert f"models:/{NAME}/{own}: the store has no emulator.json" in missing.stderr
    assert client.get_model_version_by_alias(NAME, "champion").version == own
    assert not (tmp_path / "promotion").exists()


def test_an_unknown_key_is_refused_as_everywhere(store: Project) -> None:
    for arguments, reason in {
        ("rollback", "versoin=1"): "versoin: no such key; did you mean version?",
        ("rollback", "gates.lut.maximum=1"): "gates.lut.maximum",
        ("history", "--dry-run"): "--dry-run: no such flag",
        ("history", "-m", "last=1,2"): "cannot be swept",
        ("promote", "objective.goal=most"): "objective.goal",
    }.items():
        done = store.l1distill(*arguments, check=False)
        assert done.returncode == 2, arguments
        assert reason in done.stderr


def test_mlflow_serves_the_emulators_numbers(store: Project) -> None:
    line = store
    with h5py.File(line.folder / "data/anomaly/a_4l.h5") as file:
        events = file["Particles"][:20, :, :3].astype(np.float64)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{NAME}@champion",
         "--env-manager", "local", "--port", str(port)],
        cwd=line.folder,
        env=line.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until_it_answers(server, f"http://127.0.0.1:{port}/ping")
        answer = _ask(port, events.tolist())
        events[7, 0, 0] = -1.0
        with pytest.raises(urllib.error.HTTPError) as refused:
            _ask(port, events.tolist())
    finally:
        server.terminate()
        server.wait()
    assert refused.value.code == 400
    events[7, 0, 0] = 1.0
    encoding = InputEncoding.read(line.folder / "models/student/inputs.json")
    emulator = Emulator.load(line.folder / "firmware/student/emulator.json")
    expected = emulator.predict(encoding.apply(events))[:, 0]
    others = np.arange(20) != 7
    np.testing.assert_array_equal(np.asarray(answer)[others], expected[others])


def _ask(port: int, events: list[object]) -> list[float]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps({"inputs": events}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        predictions: list[float] = json.load(answer)["predictions"]
    return predictions


def test_the_lineage_of_the_champion_is_verified_link_by_link(
    store: Project, tmp_path: Path
) -> None:
    line = store
    champion = line.l1distill("lineage", f"models:/{NAME}@champion").stdout
    version = _client(store).get_model_version_by_alias(NAME, "champion")
    record = Record.read(line.folder / "models/student")
    commit = line.run("git", "rev-parse", "HEAD").stdout.strip()
    bundle = file_sha256(line.folder / "firmware/student/bundle.tar.gz")
    for found in (
        f"{NAME} version {version.version}",
        version.tags["content_sha256"][:16],
        bundle[:16],
        record.dataset_md5[:16],
        commit[:16],
        str(version.run_id),
    ):
        assert found in champion
    assert champion.count("  run ") == 5, "of the version and of four stages"
    for stage, folder in (("teacher", "models/teacher"), ("generate", "data/anomaly")):
        assert f"{stage}  {folder_sha256(line.folder / folder)[:16]}  {folder}" in champion

    uri = f"sqlite:///{tmp_path}/empty.db"
    fresh = line._replace(environment={**line.environment, "MLFLOW_TRACKING_URI": uri})
    assert fresh.l1distill("lineage").stdout.count(", imported") == 4

    teacher = line.folder / "models/teacher"
    teacher.rename(tmp_path / "teacher")
    try:
        cached = line.l1distill("lineage").stdout
    finally:
        (tmp_path / "teacher").rename(teacher)
    assert f"{folder_sha256(teacher)[:16]}  models/teacher (in DVC's cache)" in cached

    other = tmp_path / "student"
    shutil.copytree(line.folder / "models/student", other)
    inputs = {**record.inputs, "teacher": "0" * 64}
    record.model_copy(update={"inputs": inputs}).write(other)
    for arguments, status, reason in (
        ((f"student_folder={other}",), 2, "broken link: made from another"),
        (("models:/nobody@champion",), 2, "nobody has no champion"),
        (("models:/nobody",), 2, "take models:/NAME@ALIAS"),
        (("firmware_folder=nowhere",), 2, "nowhere: no such folder"),
    ):
        done = line.l1distill("lineage", *arguments, check=False)
        assert done.returncode == status, done.stderr
        assert reason in done.stderr
