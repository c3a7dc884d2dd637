"""Runs in a real store, with real processes that are really killed."""

import os
import signal
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf
from sqlalchemy import event
from sqlalchemy.engine import Engine

from l1distill.core.errors import ResourceError
from l1distill.tracking.multirun import SweepRun
from l1distill.tracking.runs import PARENT_RUN, OpenRun, stage_run
from l1distill.tracking.store import Store, connect
from tests.processes import end, kill, start, wait_for
from tests.tracking.conftest import SETTINGS


def _runs() -> dict[str, str]:
    runs = mlflow.MlflowClient().search_runs(
        [e.experiment_id for e in mlflow.MlflowClient().search_experiments()]
    )
    return {run.info.run_name: run.info.status for run in runs}


@pytest.mark.fault(
    stage="every stage",
    fault="failed run",
    outcome="its run is FAILED, or KILLED after an interruption",
)
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


def test_a_failure_is_logged_without_trying_for_minutes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is gone may be the very reason."""
    retries = []

    def set_tag(*arguments: str) -> None:
        retries.append(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
        raise ConnectionError("gone")

    monkeypatch.setattr(store.client, "set_tag", set_tag)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    with pytest.raises(RuntimeError, match="boom"), stage_run(store, "bad"):
        raise RuntimeError("boom")
    assert retries == ["1"]
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "9"
    assert _runs() == {"bad": "FAILED"}


def _stay_open(uri: str, lease_s: float) -> None:
    settings = SETTINGS.model_copy(update={"uri": uri, "lease_s": lease_s})
    with stage_run(connect(settings), "killed"):
        signal.pause()


@pytest.mark.fault(
    stage="every stage",
    fault="run left RUNNING by a dead process",
    outcome="a later stage ends it as KILLED; a live run is not ended",
)
def test_the_next_stage_ends_the_run_of_a_killed_one_and_no_live_one(store: Store) -> None:
    uri = mlflow.get_tracking_uri()
    process = start(_stay_open, uri, 1.0)
    (run,) = wait_for(
        lambda: store.client.search_runs(
            [store.experiment_id], "tags.lease LIKE '%\"number\": 15,%'"
        )
    )
    with stage_run(store, "next"):
        assert _runs() == {"killed": "RUNNING", "next": "RUNNING"}, "it lives: 15 renewals in 1.5 s"
    kill(process)
    assert _runs()["killed"] == "RUNNING"

    def another_stage() -> bool:
        with stage_run(store, "another"):
            return _runs()["killed"] == "KILLED"

    wait_for(another_stage)
    assert (
        "gave no sign of life for 1 s" in store.client.get_run(run.info.run_id).data.tags["error"]
    )


def _pass(uri: str) -> None:
    with stage_run(connect(SETTINGS.model_copy(update={"uri": uri})), "parallel"):
        pass


@pytest.mark.fault(
    stage="every stage",
    fault="eight processes at once on a store that is not there yet",
    outcome="one makes it, all runs are FINISHED",
)
def test_eight_processes_start_on_an_empty_store_at_once(empty_folder: Path) -> None:
    processes = [start(_pass, mlflow.get_tracking_uri()) for _ in range(8)]
    assert [end(process) for process in processes] == [0] * 8
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name == "test"]
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 8


def _die_at_the_thirtieth_table(uri: str) -> None:
    tables = []

    def stop(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        if "CREATE TABLE" in statement:
            tables.append(statement)
        if len(tables) == 30:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", stop)
    connect(SETTINGS.model_copy(update={"uri": uri}))


@pytest.mark.fault(
    stage="every stage",
    fault="SIGKILL while the store is made",
    outcome="the next stage makes it anew",
)
def test_a_store_that_was_killed_in_the_making_is_made_anew(empty_folder: Path) -> None:
    killed = start(_die_at_the_thirtieth_table, mlflow.get_tracking_uri())
    assert end(killed) == -signal.SIGKILL
    with stage_run(connect(SETTINGS), "next"):
        pass
    assert _runs() == {"next": "FINISHED"}
    assert not list(empty_folder.glob(".*.part*"))


def test_a_password_in_parameters_or_an_error_is_not_logged(store: Store) -> None:
    with pytest.raises(RuntimeError), stage_run(store, "bad") as run:
        run.log_parameters({"tracking.uri": "http://alice:hush@host"})
        raise RuntimeError("postgresql://alice:hush@host/db is gone")
    logged = store.client.get_run(run.run_id).data
    assert logged.params == {"tracking.uri": "http://alice:***@host"}
    assert logged.tags["error"] == "RuntimeError: postgresql://alice:***@host/db is gone"


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
    "uri",
    [
        "http://127.0.0.1:9",
        "http://alice:hush@127.0.0.1:9",
        "postgresql+psycopg://alice:hush@127.0.0.1:9/db",
        "sqlite:////dev/null/mlflow.db",
        "sqlite:///{folder}",
    ],
)
def test_a_store_out_of_reach_is_one_line(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # which the address with an account sets
    settings = SETTINGS.model_copy(update={"uri": uri.format(folder=tmp_path)})
    with pytest.raises(ResourceError, match="MLflow store") as refusal:
        connect(settings)
    assert "tracking.uri" in str(refusal.value)
    assert "hush" not in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def _sweep_config(launcher: str) -> DictConfig:
    return OmegaConf.create(
        {
            "tracking": {"experiment": "test", "uri": None, "model_name": "trigger"},
            "hydra": {
                "job": {"config_name": "student"},
                "overrides": {"task": ["seed=1,2"]},
                "launcher": {"_target_": f"hydra.{launcher}"},
                "sweep": {"dir": "sweep"},
            },
        }
    )


def _ended(status: JobStatus = JobStatus.COMPLETED, value: int = 0) -> JobReturn:
    return JobReturn(status=status, _return_value=value)


def test_the_run_of_a_sweep_is_opened_with_its_first_job(store: Store) -> None:
    config, sweep = _sweep_config("BasicLauncher"), SweepRun()
    sweep.on_multirun_start(config)
    assert _runs() == {}
    for _ in range(2):
        with stage_run(store, "student"):
            pass
        sweep.on_job_end(config, _ended())
    runs = store.client.search_runs([store.experiment_id], "tags.stage = 'student'")
    (parent,) = store.client.search_runs([store.experiment_id], "tags.stage = 'student_sweep'")
    assert [run.data.tags["mlflow.parentRunId"] for run in runs] == [parent.info.run_id] * 2
    assert parent.data.params == {"sweep": "seed=1,2"}
    assert '"length_s": 300.0' in parent.data.tags["lease"]
    assert parent.info.status == "RUNNING"
    sweep.on_multirun_end(config)
    assert _runs() == {"student": "FINISHED", "student sweep seed 1,2": "FINISHED"}
    assert PARENT_RUN not in os.environ


def test_a_sweep_that_is_refused_as_a_whole_has_no_run(store: Store) -> None:
    config, sweep = _sweep_config("BasicLauncher"), SweepRun()
    sweep.on_multirun_start(config)
    sweep.on_job_end(config, _ended(value=2))
    sweep.on_multirun_end(config)
    with stage_run(store, "next"):
        pass
    assert _runs() == {"next": "FINISHED"}


@pytest.mark.parametrize("ended", [_ended(value=2), _ended(JobStatus.FAILED)])
def test_a_sweep_with_a_job_that_failed_has_failed(store: Store, ended: JobReturn) -> None:
    config, sweep = _sweep_config("BasicLauncher"), SweepRun()
    sweep.on_multirun_start(config)
    with stage_run(store, "student"):
        pass
    sweep.on_job_end(config, _ended())
    sweep.on_job_end(config, ended)
    sweep.on_multirun_end(config)
    assert _runs()["student sweep seed 1,2"] == "FAILED"


def test_the_run_of_a_killed_sweep_is_ended_by_the_same_sweep(store: Store) -> None:
    """At once, and not while it lives."""
    runs = {
        name: OpenRun(store, name, {}, Path(f"{folder}/.sweep.lock"))
        for name, folder in {"killed": "a", "other": "b", "beside": "a"}.items()
    }
    assert set(_runs().values()) == {"RUNNING"}
    lock = runs["killed"]._lock
    assert lock is not None
    lock.release()  # as the kernel does it
    again = OpenRun(store, "again", {}, Path("a/.sweep.lock"))
    expected = {"killed": "KILLED", "other": "RUNNING", "beside": "RUNNING", "again": "RUNNING"}
    assert _runs() == expected
    for run in [*runs.values(), again]:
        run.end("FINISHED")


def test_jobs_in_other_processes_are_told_of_the_run_before_they_begin(store: Store) -> None:
    config, sweep = _sweep_config("JoblibLauncher"), SweepRun()
    sweep.on_multirun_start(config)
    (parent,) = store.client.search_runs([store.experiment_id])
    assert os.environ[PARENT_RUN] == parent.info.run_id
    sweep.on_multirun_end(config)
    assert _runs() == {"student sweep seed 1,2": "FINISHED"}


def test_the_run_of_mlflow_run_is_that_of_the_sweep(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_run = store.client.create_run(store.experiment_id, run_name="project")
    monkeypatch.setenv("MLFLOW_RUN_ID", project_run.info.run_id)
    config, sweep = _sweep_config("BasicLauncher"), SweepRun()
    sweep.on_multirun_start(config)
    with stage_run(connect(SETTINGS), "student") as run:
        assert run.run_id != project_run.info.run_id
    sweep.on_multirun_end(config)
    tags = store.client.get_run(run.run_id).data.tags
    assert tags["mlflow.parentRunId"] == project_run.info.run_id
    assert _runs() == {"student": "FINISHED", "project": "FINISHED"}
