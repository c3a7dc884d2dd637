"""A tracking store of its own for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store import Store, connect

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
