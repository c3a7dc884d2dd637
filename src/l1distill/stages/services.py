"""What stages give tasks to do work with on an executor."""

from functools import partial
from pathlib import Path

from l1distill.core.progress import progress
from l1distill.executor.choice import open_executor
from l1distill.executor.settings import ExecutorSettings
from l1distill.tasks.records import GenerationServices, Services

CONVERTED = ".converted"
"""Folder beside the data set where converted files are kept, by the hash of their content."""


def services_of(executor: ExecutorSettings | None, work: Path) -> Services | None:
    """Return what a task may use to work elsewhere; None where it is to work in this process.

    Args:
        executor: where the work is done; None: in this process.
        work: folder that survives a kill.
    """
    if executor is None:
        return None
    return Services(executor=partial(open_executor, executor, work), progress=progress, work=work)


def generation_services(executor: ExecutorSettings, output: Path, work: Path) -> GenerationServices:
    """Return what a task may use while it makes a data set.

    Args:
        executor: where the work is done.
        output: folder of the stage; converted files are kept beside it.
        work: folder that survives a kill.
    """
    return GenerationServices(
        executor=partial(open_executor, executor, work),
        progress=progress,
        work=work,
        cache=output.parent / CONVERTED,
    )
