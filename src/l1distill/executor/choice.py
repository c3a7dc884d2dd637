"""Open the executor that the configuration asks for."""

from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from l1distill.core.errors import ResourceError
from l1distill.executor.clusters import dask_executor
from l1distill.executor.processes import local_processes
from l1distill.executor.settings import ExecutorSettings, ProcessesSettings


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
