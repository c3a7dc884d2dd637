"""Open the executor that the configuration asks for."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from l1distill.core.errors import ResourceError
from l1distill.executor.batch import check_batch_system
from l1distill.executor.clusters import dask_executor, seen_workers
from l1distill.executor.processes import local_processes
from l1distill.executor.settings import (
    BatchSettings,
    DaskSettings,
    ExecutorSettings,
    HTCondorSettings,
    ProcessesSettings,
    SlurmSettings,
)


def check_executor(settings: ExecutorSettings) -> None:
    """Refuse an executor that cannot be opened on this machine, before anything else is done.

    Raises:
        ToolError: the batch system is not on this machine.
    """
    if isinstance(settings, SlurmSettings | HTCondorSettings):
        check_batch_system(settings)


def workers_of(settings: ExecutorSettings, executor: Executor) -> int:
    """Return how many workers an executor has: at most, or of a running cluster at this moment.

    Args:
        settings: of the executor.
        executor: opened.
    """
    if isinstance(settings, BatchSettings):
        return settings.jobs * settings.cores
    if isinstance(settings, DaskSettings):
        return seen_workers(executor)
    return settings.workers or os.cpu_count() or 1


@contextmanager
def open_executor(settings: ExecutorSettings, work: Path) -> Iterator[Executor]:
    """Open an executor whose workers end when it is closed, or when this process is killed.

    Args:
        settings: of the executor.
        work: a folder that all workers have to see; made if it is not there.

    Yields:
        The executor. Functions and arguments must be picklable.

    Raises:
        ConfigError: an option of the cluster, its environment or ``work`` cannot be used.
        ToolError: the batch system is not on this machine, or refuses a job.
        ResourceError: the cluster is out of reach, or workers stay away or were killed.
    """
    if not isinstance(settings, ProcessesSettings):
        with dask_executor(settings, work) as executor:
            yield executor
        return
    try:
        with local_processes(settings.workers) as executor:
            yield executor
    except BrokenProcessPool as error:
        raise ResourceError(
            "executor: a worker was killed, perhaps for want of memory; run again with fewer "
            "executor.workers: what is finished is kept"
        ) from error
