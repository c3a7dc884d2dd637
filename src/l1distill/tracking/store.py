"""Connect to the MLflow tracking store; one line if it cannot be reached."""

import os
import socket
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import L1DistillError, ResourceError, first_line
from l1distill.tracking.descriptions import EXPERIMENT, NOTE
from l1distill.tracking.selection import select_store
from l1distill.tracking.settings import TrackingSettings
from l1distill.tracking.store_errors import WAY_OUT, database_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_ID = "MLFLOW_RUN_ID"
"""Environment variable by which ``mlflow run`` hands its run to the process it starts."""
EXPERIMENT_KIND = "mlflow.experimentKind"
"""Tag by which the UI shows runs and models first, not traces of language models."""
CONNECT_TIMEOUT_S = 5.0
QUIET_S = 10.0
"""A store that nobody has written to for so long is not being set up."""
_RETRY_S = 0.5
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_OF_MLFLOW = ("sqlalchemy", "requests", "alembic")
"""Packages whose errors MLflow lets through."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """A tracking store that answered.

    Attributes:
        client: the connected client.
        experiment_id: the experiment that runs go to.
        project_run: the run that ``mlflow run`` opened for this process, which the stage then uses.
        lease_s: how long the lease of a run holds without a renewal [s].
        is_local: whether it is a file, which is never away as a server may be.
    """

    client: "MlflowClient"
    experiment_id: str
    project_run: str | None
    lease_s: float
    is_local: bool


def connect(settings: TrackingSettings) -> Store:
    """Connect to the store, create its tables if it is new, and select the experiment.

    A fresh SQLite store is initialized under a file lock: several processes that create its
    tables at once fail with "duplicate column name". One whose tables another program is making,
    such as MLflow's own server, is waited for.

    Raises:
        ResourceError: the store cannot be reached or used.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = select_store(settings)
    _check_reachable(uri)
    _wait_for_tables(uri)
    try:
        with _first_use_lock(uri):
            _create_tables(uri)
            client = mlflow.MlflowClient()
            client.search_experiments(max_results=1)
            project_run = os.environ.get(RUN_ID)
            if project_run:
                # Taken out of the environment, or the next run that opens, whichever it is, is it.
                del os.environ[RUN_ID]
                experiment_id = _experiment_of(client, project_run)
                mlflow.set_experiment(experiment_id=experiment_id)
            else:
                experiment = mlflow.set_experiment(settings.experiment)
                experiment_id = experiment.experiment_id
                # Where another process has made it meanwhile, MLflow returns it and does not
                # select it: the run would go to the experiment 0.
                mlflow.set_experiment(experiment_id=experiment_id)
                if EXPERIMENT_KIND not in experiment.tags:
                    client.set_experiment_tag(
                        experiment_id, EXPERIMENT_KIND, "custom_model_development"
                    )
                if NOTE not in experiment.tags:
                    client.set_experiment_tag(experiment_id, NOTE, EXPERIMENT)
    except L1DistillError:
        raise
    except Exception as error:
        known = isinstance(error, MlflowException | OSError | ImportError | ValueError)
        if not known and type(error).__module__.split(".")[0] not in _OF_MLFLOW:
            raise
        reason = database_reason(error) or f"{first_line(error)}; {WAY_OUT}"
        raise ResourceError(hide_credentials(f"MLflow store {uri}: {reason}")) from error
    return Store(
        client=client,
        experiment_id=experiment_id,
        project_run=project_run,
        lease_s=settings.lease_s,
        is_local=_sqlite_file(uri) is not None,
    )


def connect_to_existing(settings: TrackingSettings) -> "MlflowClient | None":
    """Connect to the store for reading, and create nothing in it.

    Returns:
        A client; None if there is no store yet.

    Raises:
        ResourceError: the store cannot be reached.
    """
    import mlflow

    uri = select_store(settings)
    database = _sqlite_file(uri)
    if database is not None and not (database.is_file() and database.stat().st_size > 0):
        return None
    _check_reachable(uri)
    return mlflow.MlflowClient()


def _wait_for_tables(uri: str) -> None:
    """Wait as long as a SQLite store lacks tables and was written to a moment ago."""
    database = _sqlite_file(uri)
    is_waiting, last, since = False, 0.0, time.monotonic()
    while database is not None and _lacks_tables(database):
        files = [database, database.with_name(f"{database.name}-journal")]
        written = max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
        if written != last:
            last, since = written, time.monotonic()
        # The calendar may have been set back since: then it is waited for once, not until then.
        if time.time() - written > QUIET_S or time.monotonic() - since > QUIET_S:
            return
        if not is_waiting:
            is_waiting = True
            print(f"MLflow store {uri}: waits for another first run to set it up", file=sys.stderr)
        time.sleep(_RETRY_S)


def _lacks_tables(database: Path) -> bool:
    """Tell whether a database has some tables, and not all that MLflow needs."""
    try:
        with closing(sqlite3.connect(database, timeout=CONNECT_TIMEOUT_S)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in rows}
    except sqlite3.Error:  # which MLflow will say in its words
        return False
    if not tables:
        return False
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.tracking.dbmodels import models  # noqa: F401 (fills the base's tables)

    return not tables.issuperset(Base.metadata.tables)


def _create_tables(uri: str) -> None:
    """Create the tables of a new SQLite store, all or none.

    MLflow does so in dozens of steps; killed between two of them, it could neither go on with the
    file nor begin again.
    """
    import mlflow

    database = _sqlite_file(uri)
    if database is None or (database.exists() and database.stat().st_size > 0):
        return
    part = database.with_name(f".{database.name}.part")
    for left in (part, part.with_name(f"{part.name}-journal")):
        left.unlink(missing_ok=True)
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{part}").search_experiments(max_results=1)
    part.replace(database)


def _experiment_of(client: "MlflowClient", run_id: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_run(run_id).info.experiment_id)
    except MlflowException as error:
        raise ResourceError(f"{RUN_ID}={run_id}: no such run in the store; unset it") from error


def _check_reachable(uri: str) -> None:
    """Fail at once where MLflow's own client would try again for minutes."""
    reason = _unreachable(uri)
    if reason:
        shown = hide_credentials(uri)
        raise ResourceError(f"MLflow store {shown}: cannot be reached ({reason}); {WAY_OUT}")


def _unreachable(uri: str) -> str | None:
    """Return why a store cannot be used, if that can be found quickly, else None."""
    database = _sqlite_file(uri)
    if database is not None:
        try:
            with closing(sqlite3.connect(database, timeout=CONNECT_TIMEOUT_S)) as connection:
                connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            return str(error)
        return None
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]  # postgresql+psycopg
    is_socket = parts.hostname is None and not scheme.startswith("http")
    if scheme not in DEFAULT_PORTS or is_socket:
        return None
    try:
        address = (parts.hostname or "", parts.port or DEFAULT_PORTS[scheme])
        socket.create_connection(address, timeout=CONNECT_TIMEOUT_S).close()
    except ValueError as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _sqlite_file(uri: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(unquote(uri.removeprefix(prefix))) if uri.startswith(prefix) else None


def _first_use_lock(uri: str) -> FileLock:
    database = _sqlite_file(uri) or Path("mlflow")
    return FileLock(database.parent / f".{database.name}.lock", timeout=120)
