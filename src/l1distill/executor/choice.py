"""Opens the executor that the configuration asks for."""

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
    """Opens an executor whose workers are gone when it is closed, or when this process is killed.

    Args:
        settings: where work is done.
        work: a folder that all workers have to see; made if it is not there.

    Yields:
        The executor. Functions and arguments must be picklable.

    Raises:
        ResourceError: the workers cannot be had, do not see the folder, or died of their work.
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
