"""A tracking store of its own for each test."""

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from l1distill.tracking.registry_lock import LEASE_S
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import Store, connect
from tests.servers import Server

SETTINGS = TrackingSettings(experiment="test", uri=None, model_name="trigger")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialized store without an experiment: MLflow takes seconds to make its tables."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with a store that does not exist yet."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield tmp_path
    mlflow.set_tracking_uri(None)


@pytest.fixture
def store(empty_folder: Path, template: Path) -> Store:
    """A connected store with nothing in it."""
    shutil.copy(template, empty_folder / "mlflow.db")
    return connect(SETTINGS)


def server_store(server: Server, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Connects to a server, with an experiment that nobody else has."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(server.uri)
    return connect(SETTINGS.model_copy(update={"experiment": f"test {uuid.uuid4()}"}))


@pytest.fixture(
    params=["sqlite", pytest.param("server", marks=pytest.mark.needs_program("postgres"))]
)
def any_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of the default kind, and one behind a server with PostgreSQL, S3 and accounts."""
    store: Store = request.getfixturevalue("store")
    if request.param == "server":
        return server_store(request.getfixturevalue("server"), monkeypatch)
    return store


class SkippingTime:
    """A clock on which pauses take no time, and are long: what they are for has happened then."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped_s

    def sleep(self, seconds: float) -> None:
        self.skipped_s += LEASE_S / 2


@pytest.fixture
def no_waiting_for_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a lock that a dead process left be taken over at once."""
    monkeypatch.setattr("l1distill.tracking.registry_lock.time", SkippingTime())
