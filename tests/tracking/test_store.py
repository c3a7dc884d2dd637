"""A store whose tables another program is making."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking._tracking_service.client import TrackingServiceClient

from l1distill.core.errors import ResourceError
from l1distill.tracking.runs import stage_run
from l1distill.tracking.selection import select_store
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import QUIET_S, Store, connect

SETTINGS = TrackingSettings(experiment="test", uri=None, model_name="trigger")


def begin_tables(database: Path) -> None:
    """Writes some of the tables, as MLflow has when it is half way."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER NOT NULL)")
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")


def test_a_store_that_is_being_set_up_is_waited_for(
    empty_folder: Path, template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = empty_folder / "mlflow.db"
    begin_tables(database)
    whole = empty_folder / "whole.db"
    shutil.copy(template, whole)
    timer = threading.Timer(1.5, lambda: whole.replace(database))
    timer.start()
    store = connect(SETTINGS)
    timer.join()
    assert store.client.get_experiment(store.experiment_id).name == "test"
    assert capsys.readouterr().err.count("waits for another first run") == 1


def test_a_store_that_nobody_writes_to_is_refused(empty_folder: Path) -> None:
    database = empty_folder / "mlflow.db"
    begin_tables(database)
    long_ago = database.stat().st_mtime - 2 * QUIET_S
    os.utime(database, (long_ago, long_ago))
    with pytest.raises(ResourceError, match="MLflow store"):
        connect(SETTINGS)


@pytest.mark.parametrize(
    ("uri", "selected", "account"),
    [
        ("http://alice:hu%40sh@host:5000/x", "http://host:5000/x", ("alice", "hu@sh")),
        ("http://host:5000", "http://host:5000", ("env", "kept")),
        ("sqlite:////tmp/a@b/x.db", "sqlite:////tmp/a@b/x.db", ("env", "kept")),
    ],
)
def test_an_account_is_taken_out_of_the_address(
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    selected: str,
    account: tuple[str, str],
) -> None:
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    for name, value in zip(names, ("env", "kept"), strict=True):
        monkeypatch.setenv(name, value)
    assert select_store(SETTINGS.model_copy(update={"uri": uri})) == selected
    assert mlflow.get_tracking_uri() == selected
    assert tuple(os.environ[name] for name in names) == account


def test_an_experiment_that_another_process_made_meanwhile_is_selected(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow returns it and does not select it."""
    settings = SETTINGS.model_copy(update={"experiment": "of both"})
    create = TrackingServiceClient.create_experiment

    def twice(client: TrackingServiceClient, name: str) -> str:
        create(client, name)
        return str(create(client, name))

    monkeypatch.setattr(TrackingServiceClient, "create_experiment", twice)
    connected = connect(settings)
    with stage_run(connected, "stage") as run:
        assert run.experiment_id == connected.experiment_id
    found = store.client.get_experiment_by_name("of both")
    assert found is not None
    assert found.experiment_id == connected.experiment_id
