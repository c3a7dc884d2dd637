"""Open one MLflow run for each stage, and never leave it RUNNING."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from l1distill.artifacts.record import ModelSpec
from l1distill.core.credentials import hide_credentials
from l1distill.core.resources import resource_errors_as_one_line
from l1distill.tracking.checkout import version_tags
from l1distill.tracking.lease import (
    LENGTH_S,
    TAG,
    Clock,
    Keeper,
    end_abandoned_runs,
    kernel_clock,
    new_lease,
)
from l1distill.tracking.output_lock import TAG as LOCK
from l1distill.tracking.output_lock import end_runs_of_lock, lock_if_free
from l1distill.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo

PARENT = "mlflow.parentRunId"
"""Tag of a run with the id of the run that it is below."""
PARENT_RUN = "L1DISTILL_PARENT_RUN"
"""Environment variable with the run id of the sweep that the process belongs to."""
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
"""Environment variable with how often MLflow's client repeats a request to a server."""
BATCH = 100
"""Most parameters that the tracking server takes in one call."""


class Stopwatch:
    """Adds up the time that is spent within its blocks; blocks within blocks count once.

    Attributes:
        seconds: until now [s].
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0
        self._depth, self._start = 0, 0.0

    def __enter__(self) -> None:
        """Go on."""
        if not self._depth:
            self._start = time.monotonic()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._depth -= 1
        if not self._depth:
            self.seconds += time.monotonic() - self._start


class Run:
    """The open run of a stage: what may be logged to it.

    Attributes:
        client: the connected MLflow client.
        run_id: MLflow's id.
        experiment_id: the experiment it is in.
        stopwatch: runs while anything is logged.
    """

    def __init__(self, client: "MlflowClient", run_id: str, experiment_id: str) -> None:
        """Wrap a run that exists."""
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.stopwatch = Stopwatch()

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log the flat configuration, in as few calls as the server takes."""
        from mlflow.entities import Param

        entities = [Param(key, hide_credentials(str(value))) for key, value in parameters.items()]
        with self.stopwatch:
            for start in range(0, len(entities), BATCH):
                self.client.log_batch(self.run_id, params=entities[start : start + BATCH])

    def log_metrics(
        self, metrics: Mapping[str, float], step: int = 0, model_id: str | None = None
    ) -> None:
        """Log all metrics in one call; with ``model_id`` they appear on that model too."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entities = [
            Metric(key, float(value), now, step, model_id=model_id)
            for key, value in metrics.items()
        ]
        with self.stopwatch:
            self.client.log_batch(self.run_id, metrics=entities)

    def log_child(
        self,
        name: str,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Log a run below this one that has ended already.

        Args:
            name: of the run.
            parameters: at most 100.
            metrics: likewise, at most 1,000.
            tags: of the run.
        """
        lease = {TAG: new_lease(LENGTH_S, kernel_clock()).to_tag()}  # a killed process ends none
        with self.stopwatch:
            child = self.client.create_run(
                self.experiment_id, tags={PARENT: self.run_id, **lease, **tags}, run_name=name
            )
            run = Run(self.client, child.info.run_id, self.experiment_id)
            run.log_parameters(parameters)
            run.log_metrics(metrics)
            self.client.set_terminated(run.run_id)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an empty value is left out."""
        from mlflow.entities import RunTag

        self.client.log_batch(
            self.run_id, tags=[RunTag(key, value) for key, value in tags.items() if value]
        )

    def log_dataset(self, name: str, md5: str, context: str) -> None:
        """Log the data set as an input of the run."""
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        source = CodeDatasetSource(tags={"md5": md5})
        dataset = MetaDataset(source, name=name, digest=md5[:8])  # type: ignore[abstract]
        mlflow.log_input(dataset, context=context)

    def log_files(self, folder: Path, patterns: list[str]) -> None:
        """Log the files of ``folder`` that match, under their relative paths."""
        with resource_errors_as_one_line(self._artifacts):
            for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
                where = path.parent.relative_to(folder).as_posix()
                self.client.log_artifact(self.run_id, str(path), None if where == "." else where)

    def log_model(self, spec: ModelSpec, folder: Path, tags: Mapping[str, str]) -> str:
        """Log a model of this run and returns its MLflow id.

        Args:
            spec: what to log.
            folder: where the artifacts of ``spec`` are.
            tags: go onto the logged model; ``output_sha256`` is what it is found by.
        """
        from l1distill.tracking.models import log_pyfunc

        with resource_errors_as_one_line(self._artifacts):
            return log_pyfunc(spec, folder, tags)

    @property
    def _artifacts(self) -> str:
        """Where its files go."""
        return str(self.client.get_run(self.run_id).info.artifact_uri)


@contextmanager
def stage_run(
    store: Store, stage: str, tags: Mapping[str, str] | None = None, name: str | None = None
) -> Iterator[Run]:
    """Open the stage's run and closes it whatever happens.

    Inside ``mlflow run`` it is the project's run; in a sweep it is a child of the sweep's run.
    It ends FINISHED, FAILED (an exception) or KILLED (interrupted). A process that was killed
    outright cannot end its run: the stage that locks the same output next does it, or another one
    when the run's lease has expired.
    """
    import mlflow

    client, clock = store.client, kernel_clock()
    parent = open_parent(store)
    active = mlflow.start_run(
        run_id=None if parent == store.project_run else store.project_run,
        run_name=name or stage,
        parent_run_id=parent,
        tags={"stage": stage, **_process_tags(store, clock), **version_tags(), **(tags or {})},
    )
    if active.info.run_id == store.project_run:  # which has the name that mlflow run gave it
        client.update_run(active.info.run_id, name=name or stage)
    if tags and LOCK in tags:
        end_runs_of_lock(client, active.info.experiment_id, active.info.run_id, tags[LOCK])
    watch = partial(_end_abandoned, store, active.info, clock)
    watch()
    keeper = Keeper(client, active.info.run_id, store.lease_s, clock, watch)
    try:
        yield Run(client, active.info.run_id, active.info.experiment_id)
    except BaseException as error:
        keeper.stop()
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
        # The first error is reported, also where the store is full or gone by now: the client does
        # not try for minutes then, and the next stage ends the run.
        with _few_retries(), suppress(Exception):
            if not interrupted:
                text = hide_credentials(f"{type(error).__name__}: {error}")[:5000]
                client.set_tag(active.info.run_id, "error", text)
        with _few_retries(), suppress(Exception):
            mlflow.end_run("KILLED" if interrupted else "FAILED")
        raise
    keeper.stop()
    mlflow.end_run("FINISHED")


def _end_abandoned(store: Store, own: "RunInfo", clock: Clock) -> None:
    """End the runs of dead processes; where the store does not let us, others do it."""
    with suppress(Exception):
        end_abandoned_runs(
            store.client, own.experiment_id, own.run_id, clock, is_local=store.is_local
        )


@contextmanager
def _few_retries() -> Iterator[None]:
    """Let MLflow's client try a request to a server twice, not for minutes."""
    before = os.environ.get(RETRIES)
    os.environ[RETRIES] = "1"
    try:
        yield
    finally:
        del os.environ[RETRIES]
        if before is not None:
            os.environ[RETRIES] = before


_parent_opener: Callable[[Store], str] | None = None


def set_parent_opener(opener: Callable[[Store], str] | None) -> None:
    """Have the next stage open a parent run before its own, as in a sweep.

    Args:
        opener: opens the run, once, and returns its id; None forgets an opener.
    """
    global _parent_opener
    _parent_opener = opener


def open_parent(store: Store) -> str | None:
    """Return the id of the sweep's run, which is opened now if this is its first job."""
    if _parent_opener is not None:
        opener = _parent_opener
        set_parent_opener(None)
        return opener(store)
    return os.environ.get(PARENT_RUN)


class OpenRun:
    """A run that is not the process's active one, as the parent of a sweep's jobs is.

    Attributes:
        client: of the store.
        run_id: MLflow's id.
        experiment_id: the experiment it is in.
    """

    def __init__(
        self, store: Store, name: str, tags: Mapping[str, str], lock: Path | None = None
    ) -> None:
        """Open it; inside ``mlflow run`` it is the project's run.

        Args:
            store: where runs are logged.
            name: of the run.
            tags: of the run.
            lock: file to lock as long as the run is open, where no other process does; open runs
                of that lock are then of dead processes, and are ended.
        """
        self.client, clock = store.client, kernel_clock()
        self.experiment_id = store.experiment_id
        self._lock = FileLock(lock) if lock is not None else None
        held = lock_if_free(self._lock) if self._lock is not None else {}
        all_tags = {**_process_tags(store, clock), **version_tags(), **held, **tags}
        if store.project_run is not None:
            self.run_id = store.project_run
            for key, value in all_tags.items():
                store.client.set_tag(self.run_id, key, value)
        else:
            run = store.client.create_run(store.experiment_id, tags=all_tags, run_name=name)
            self.run_id = str(run.info.run_id)
        if held:
            end_runs_of_lock(self.client, self.experiment_id, self.run_id, held[LOCK])
        self._keeper = Keeper(store.client, self.run_id, store.lease_s, clock)

    def end(self, status: str) -> None:
        """End it."""
        self._keeper.stop()
        try:
            self.client.set_terminated(self.run_id, status)
        finally:
            if self._lock is not None:
                self._lock.release()


def _process_tags(store: Store, clock: Clock) -> dict[str, str]:
    """Return who runs this, for people, and the lease of the run."""
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        TAG: new_lease(store.lease_s, clock).to_tag(),
    }
