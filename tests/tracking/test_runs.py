"""Runs in a real store, with real processes that are really killed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import mlflow
import pytest

from l1distill.core.errors import DataError
from l1distill.tracking.runs import PARENT_RUN, stage_run
from l1distill.tracking.store import Store, connect
from tests.tracking.conftest import SETTINGS


def _runs() -> dict[str, str]:
    runs = mlflow.MlflowClient().search_runs(
        [e.experiment_id for e in mlflow.MlflowClient().search_experiments()]
    )
    return {run.info.run_name: run.info.status for run in runs}


def test_a_run_ends_as_its_stage_does(store: Store) -> None:
    with stage_run(store, "good") as run:
        run.log_parameters({f"key{n}": n for n in range(250)})
        run.log_metrics({"auc/a_4l": 0.9})
    with pytest.raises(RuntimeError), stage_run(store, "bad"):
        raise RuntimeError("boom")
    with pytest.raises(KeyboardInterrupt), stage_run(store, "interrupted"):
        raise KeyboardInterrupt
    assert _runs() == {"good": "FINISHED", "bad": "FAILED", "interrupted": "KILLED"}
    logged = store.client.get_run(run.run_id).data
    assert len(logged.params) == 250
    assert logged.metrics == {"auc/a_4l": 0.9}
    assert {"stage", "git_commit", "dvc_lock_md5"} <= set(logged.tags)


def test_the_next_stage_ends_the_run_of_a_killed_one(store: Store) -> None:
    script = textwrap.dedent("""
        import sys, time
        from l1distill.tracking.runs import stage_run
        from l1distill.tracking.settings import TrackingSettings
        from l1distill.tracking.store import connect
        settings = TrackingSettings(experiment="test", uri=None, model_name="model")
        with stage_run(connect(settings), "killed"):
            print("open", flush=True)
            time.sleep(120)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert _runs() == {"killed": "RUNNING"}
    with stage_run(store, "next"):
        assert _runs() == {"killed": "KILLED", "next": "RUNNING"}
    assert _runs() == {"killed": "KILLED", "next": "FINISHED"}


def test_eight_processes_start_on_an_empty_store_at_once(empty_folder: Path) -> None:
    script = textwrap.dedent("""
        from l1distill.tracking.runs import stage_run
        from l1distill.tracking.settings import TrackingSettings
        from l1distill.tracking.store import connect
        settings = TrackingSettings(experiment="test", uri=None, model_name="model")
        with stage_run(connect(settings), "parallel"):
            pass
    """)
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(8)]
    assert [process.wait() for process in processes] == [0] * 8
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "test"]
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 8


def test_a_store_that_was_killed_in_the_making_is_made_anew(empty_folder: Path) -> None:
    script = textwrap.dedent("""
        import os, signal
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from l1distill.tracking.settings import TrackingSettings
        from l1distill.tracking.store import connect
        tables = []
        @event.listens_for(Engine, "before_cursor_execute")
        def stop(connection, cursor, statement, *others):
            if "CREATE TABLE" in statement:
                tables.append(statement)
            if len(tables) == 30:
                os.kill(os.getpid(), signal.SIGKILL)
        connect(TrackingSettings(experiment="test", uri=None, model_name="model"))
    """)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    with stage_run(connect(SETTINGS), "next"):
        pass
    assert _runs() == {"next": "FINISHED"}
    assert not list(empty_folder.glob(".*.part*"))


def test_a_job_of_a_sweep_is_a_child(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = store.client.create_run(store.experiment_id, run_name="sweep")
    monkeypatch.setenv(PARENT_RUN, parent.info.run_id)
    with stage_run(store, "job") as run:
        pass
    tags = store.client.get_run(run.run_id).data.tags
    assert tags["mlflow.parentRunId"] == parent.info.run_id


def test_the_run_of_mlflow_run_is_used(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client = store.client
    experiment = client.create_experiment("of the project")
    project_run = client.create_run(experiment, run_name="project")
    monkeypatch.setenv("MLFLOW_RUN_ID", project_run.info.run_id)
    with stage_run(connect(SETTINGS), "student") as run:
        assert run.run_id == project_run.info.run_id
    assert "MLFLOW_RUN_ID" not in os.environ
    assert client.get_run(run.run_id).info.status == "FINISHED"


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db", "sqlite:///{folder}"]
)
def test_a_store_out_of_reach_is_one_line(uri: str, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"uri": uri.format(folder=tmp_path)})
    with pytest.raises(DataError, match="MLflow store") as refusal:
        connect(settings)
    assert "tracking.uri" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
