"""Use Dask clusters as executors: on this machine, of batch jobs, or running already.

The scheduler of a cluster that is started here lives in this process: when the process is killed,
the workers lose their connection and end. Connections to it are encrypted with a key of its own,
because whoever reaches a scheduler can run anything in its user's name.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from l1distill import __version__
from l1distill.core.errors import ConfigError, ResourceError
from l1distill.executor.batch import STATUS_PAGE, batch_jobs, logs
from l1distill.executor.settings import (
    DaskLocalSettings,
    DaskSettings,
    HTCondorSettings,
    SlurmSettings,
)

ClusterSettings = DaskLocalSettings | DaskSettings | SlurmSettings | HTCondorSettings

_ANSWER_WITHIN_S = 30.0


@contextmanager
def dask_executor(settings: ClusterSettings, work: Path) -> Iterator[Executor]:
    """Open an executor of a Dask cluster, and close what it started.

    Args:
        settings: of the cluster.
        work: a folder that all workers have to see; made if it is not there.

    Yields:
        The executor, once a worker is there.

    Raises:
        ConfigError: an option is refused, the scheduler runs in another environment, or its
            workers do not see the folder.
        ToolError: the batch system is not on this machine, or refuses a job.
        ResourceError: the cluster is out of reach, or its workers stay away for too long or were
            killed.
    """
    import dask

    work = work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    config = {
        "distributed.scheduler.no-workers-timeout": settings.wait_s,
        "distributed.scheduler.worker-saturation": 1.0,  # tasks wait here, not on a busy worker
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with ExitStack() as stack:
        stack.enter_context(_hushed())
        stack.enter_context(dask.config.set(config))
        marker = stack.enter_context(NamedTemporaryFile(dir=work, prefix=".seen_by_workers."))
        client = stack.enter_context(_client(settings, work))
        stack.enter_context(_one_line(settings, work))
        client.wait_for_workers(1, timeout=settings.wait_s)
        if isinstance(settings, DaskSettings):
            _check_environment(client, settings)
        yield _DaskExecutor(client, Path(marker.name))


@contextmanager
def _hushed() -> Iterator[None]:
    """Silence Dask's log, which tears the progress bar; errors are raised besides."""
    import_module("distributed")  # which sets the levels
    names = ("distributed", "distributed.client", "distributed.gc", "tornado.application")
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def _client(settings: ClusterSettings, work: Path) -> Iterator[Any]:
    distributed: Any = import_module("distributed")
    with ExitStack() as stack:
        cluster: Any
        if isinstance(settings, DaskSettings):
            cluster = settings.address
        elif isinstance(settings, DaskLocalSettings):
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=settings.workers or os.cpu_count() or 1,
                    threads_per_worker=1,
                    memory_limit=None,
                    security=distributed.Security.temporary(),
                    dashboard_address=STATUS_PAGE,
                    silence_logs=logging.CRITICAL,
                )
            )
        else:
            cluster = stack.enter_context(batch_jobs(settings, work))
        try:
            client = distributed.Client(cluster, timeout=_ANSWER_WITHIN_S, set_as_default=False)
        except OSError as error:
            raise ResourceError(
                f"executor.address={cluster}: no Dask scheduler answers ({error}); start it, or "
                "correct the address"
            ) from error
        yield stack.enter_context(client)


def _check_environment(client: Any, settings: DaskSettings) -> None:
    """Refuse a cluster that was started without this package: our tasks would kill its workers."""
    versions = list(client.run(version, "l1distill", on_error="return").values())
    try:
        versions.append(client.run_on_scheduler(version, "l1distill"))
    except PackageNotFoundError as error:
        versions.append(error)
    if any(other != __version__ for other in versions):
        raise ConfigError(
            f"executor.address={settings.address}: the scheduler and its workers must have "
            f"l1distill {__version__}; start them in this environment"
        )


@contextmanager
def _one_line(settings: ClusterSettings, work: Path) -> Iterator[None]:
    """Turn the errors that Dask raises when it has lost its workers into one-line errors."""
    from distributed import KilledWorker
    from distributed.exceptions import WorkerStartTimeoutError
    from distributed.scheduler import NoWorkerError

    where = f"executor={settings.kind}"
    if isinstance(settings, SlurmSettings | HTCondorSettings):
        where += f" (logs: {logs(work)})"
    again = "run again: what is finished is kept"
    try:
        yield
    except KilledWorker as error:
        raise ResourceError(
            f"{where}: {error.allowed_failures + 1} workers were killed over the same task, "
            f"perhaps for want of memory, or jobs of time; give them more and {again}"
        ) from error
    except (NoWorkerError, WorkerStartTimeoutError) as error:
        raise ResourceError(
            f"{where}: no worker for {settings.wait_s:.0f} s; find out why, or wait longer, "
            f"and {again}"
        ) from error
    except CancelledError as error:
        raise ResourceError(f"{where}: the Dask scheduler is gone; {again}") from error


class _DaskExecutor(Executor):
    """Hand tasks to Dask in the order of submission; workers must see the marker file."""

    def __init__(self, client: Any, marker: Path) -> None:
        self.client = client
        self._tasks = client.get_executor(pure=False)
        self._marker = marker
        self._submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._submitted += 1
        task = partial(fn, *args, **kwargs)  # as one, for Dask would look into the arguments
        future: Future[Any] = self._tasks.submit(
            _run, self._marker, task, priority=-self._submitted
        )
        return future


def seen_workers(executor: Executor) -> int:
    """Return how many workers a cluster has at this moment, one at least.

    Args:
        executor: of :func:`dask_executor`.
    """
    assert isinstance(executor, _DaskExecutor)
    return max(len(executor.client.nthreads()), 1)


def _run(marker: Path, task: Callable[[], Any]) -> Any:
    """Run a task on a worker, if others will see what it writes.

    Raises:
        ConfigError: the worker does not see the folder of the marker.
    """
    if not marker.exists():
        raise ConfigError(
            f"{marker.parent}: not seen by the worker on {socket.gethostname()}; put output= on a "
            "file system that all workers share"
        )
    return task()
