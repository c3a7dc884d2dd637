"""The pipeline's outputs promoted on a real server: PostgreSQL, an S3 store, accounts."""

import gzip
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from moto.s3.models import s3_backends

import l1distill
from l1distill.core.closure import import_closure
from l1distill.core.workspace import folder_sha256
from tests.e2e.conftest import Project
from tests.proxy import proxy, refuse_first
from tests.servers import PASSWORD, USER, Server

pytestmark = pytest.mark.needs_program("postgres")


def _with_password(uri: str) -> str:
    return uri.replace("http://", f"http://{USER}:{PASSWORD}@")


def _unpacked(content: bytes) -> bytes:
    """A file, and what is packed in it."""
    return content + (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else b"")


def _bucket() -> Iterator[bytes]:
    """Everything that the S3 store holds."""
    for backends in s3_backends.values():
        for name, bucket in backends["global"].buckets.items():
            assert name == "artifacts"
            for key in bucket.keys.values():
                yield key.value


def _files_with_password(folder: Path) -> list[Path]:
    """Files below a folder that hold the password, packed or not."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if PASSWORD.encode() in _unpacked(path.read_bytes())]


def _served_package(folder: Path) -> Path:
    """Copies what of the package a logged model imports when it is loaded.

    To a server all of the 500 files that else go with each model are alike.
    """
    package = Path(l1distill.__file__).parent
    for served in ("trigger", "student"):
        for path in import_closure(f"l1distill.tracking.served.{served}"):
            copy = folder / path.relative_to(package.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return folder / package.name


def _everything(client: mlflow.MlflowClient, experiment: str, model: str) -> str:
    """Whatever the store says of an experiment and a registered model."""
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    said = [str(dict(found)), str(dict(client.get_registered_model(model)))]
    for run in client.search_runs([found.experiment_id]):
        said.append(json.dumps(run.to_dictionary()))
    for logged in client.search_logged_models([found.experiment_id]):
        said.append(str(logged.to_dictionary()))
    for version in client.search_model_versions(f"name = '{model}'"):
        said.append(str(dict(version)))
    return "\n".join(said)


@pytest.mark.fault(
    stage="promote",
    fault="the server stops, and is back, at each request",
    outcome="the runs of teacher, student and synthesis are logged again, the proof is given, and "
    "the student of the pipeline is champion",
)
def test_a_student_is_promoted_on_a_server_and_no_password_is_left_anywhere(
    line: Project, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l1distill.tracking.models.PACKAGE", _served_package(tmp_path / "served"))
    name = f"l1distill-{uuid.uuid4()}"
    output = tmp_path / "promotion"
    common = (f"tracking.experiment={name}", f"output={output}")
    kept = {path: path.stat().st_mtime_ns for path in line.folder.rglob("*.yaml")}
    # The password where it should not be, on the command line ...
    impatient = {
        **line.environment,
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
        "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    }
    with proxy(server.uri) as between:
        between.rule = refuse_first
        named = line._replace(environment=impatient).l1distill(
            "promote", *common, f"tracking.model_name={name}",
            f"tracking.uri={_with_password(between.uri)}",
        )  # fmt: skip
    assert max(between.attempts.values()) > 1
    assert "is champion" in named.stdout
    gone = line.l1distill(
        "promote", *common, f"tracking.uri={_with_password('http://127.0.0.1:9')}", check=False
    )
    # ... and where it should be, in the environment.
    environment = {
        **line.environment,
        **server.environment,
        "MLFLOW_TRACKING_URI": server.uri,
        "MLFLOW_EXPERIMENT_NAME": name,
    }
    there = line._replace(environment=environment)
    chain = there.l1distill("lineage", f"models:/{name}@champion")
    history = there.l1distill("history", f"tracking.model_name={name}", "format=json")
    back = there.l1distill("rollback", f"tracking.model_name={name}", check=False)
    stranger = {**environment, "MLFLOW_TRACKING_PASSWORD": f"not {PASSWORD}"}
    refused = line._replace(environment=stranger).l1distill("promote", *common, check=False)

    assert gone.returncode == 1
    assert "MLflow store http://127.0.0.1:9: cannot be reached" in gone.stderr
    assert f"{name} version 1" in chain.stdout
    assert chain.stdout.count(", imported") == 4
    (event,) = (json.loads(text) for text in history.stdout.splitlines())
    assert (event["action"], event["champion_after"], event["done"]) == ("promote", "1", True)
    assert back.returncode == 2
    assert "had no predecessor that passed" in back.stderr
    assert refused.returncode == 1
    (message,) = refused.stderr.splitlines()
    assert message.startswith(f"l1distill: MLflow store {server.uri}: ")
    assert "401" in message

    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    client = mlflow.MlflowClient(server.uri)
    stored = _everything(client, name, name)
    assert stored.count('"status": "FINISHED"') == 5, "three imported runs, generate, promote"
    for done in (named, gone, chain, history, back, refused):
        assert PASSWORD not in done.stdout + done.stderr, done.args
    assert PASSWORD not in stored
    bucket = list(_bucket())
    assert sum(content[:2] == b"\x1f\x8b" for content in bucket) >= 2, "bundles, as they were"
    assert not any(PASSWORD.encode() in _unpacked(content) for content in bucket)
    assert _files_with_password(tmp_path) == []
    written = [path for path in line.folder.rglob("*.yaml") if path not in kept]
    assert any(f"{USER}:***@" in path.read_text() for path in written), "what Hydra keeps of a job"
    assert _files_with_password(line.folder / "outputs") == []


@pytest.mark.fault(
    stage="generate",
    fault="the server stops, and is back, at each request",
    outcome="each request is made again; the run is FINISHED and has the output's hash",
)
@pytest.mark.fault(
    stage="teacher",
    fault="the server stops, and is back, at each request",
    outcome="each request is made again; the run is FINISHED and has the output's hash",
)
@pytest.mark.fault(
    stage="student",
    fault="the server stops, and is back, at each request",
    outcome="each request is made again; the run is FINISHED and has the output's hash",
)
@pytest.mark.fault(
    stage="synthesize",
    fault="the server stops, and is back, at each request",
    outcome="each request is made again; the run is FINISHED and has the output's hash",
)
def test_every_stage_outlives_a_server_that_comes_and_goes(
    line: Project, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each as small as it can be; what is logged with a model is one file, not the package."""
    package = tmp_path / "package" / "l1distill"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr("l1distill.tracking.models.PACKAGE", package)
    data, teacher, student = (tmp_path / name for name in ("data", "teacher", "student"))
    events = line.folder / "data/anomaly"
    chain = f"data=public data.folder={data}"
    commands = {
        "generate": f"data=public data.files.background={events}/background.h5 "
        f"data.files.signals.a_4l={events}/a_4l.h5 output={data}",
        "teacher": f"{chain} teacher.training.epochs=1 output={teacher}",
        "student": f"{chain} compression=none student.training.epochs=1 "
        f"student.layers=[2] teacher_folder={teacher} output={student}",
        "synthesize": f"{chain} student_folder={student} firmware.rtl_simulator=none "
        f"output={tmp_path}/firmware",
    }
    with proxy(server.uri) as between:
        between.rule = refuse_first
        environment = {
            **line.environment,
            **server.environment,
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
            "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
            "MLFLOW_TRACKING_URI": between.uri,
            "MLFLOW_EXPERIMENT_NAME": (name := f"comes and goes {uuid.uuid4()}"),
        }
        there = line._replace(environment=environment)
        for stage, arguments in commands.items():
            before = len(between.attempts)
            there.l1distill(stage, *arguments.split())
            assert len(between.attempts) > before + 10
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    client = mlflow.MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    logged = {run.data.tags["stage"]: run.data.tags["output_sha256"] for run in runs}
    folders = (data, teacher, student, tmp_path / "firmware")
    assert logged == {
        stage: folder_sha256(folder) for stage, folder in zip(commands, folders, strict=True)
    }
