"""Processes that are forked from one in which MLflow is imported: what a kill costs otherwise.

A process that begins with its imports takes three seconds; one of these, some milliseconds. The
process that they are forked from has no threads, no TensorFlow and no open store.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TypeVar

PRELOADED = (
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.rest_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.data.meta_dataset",
    "mlflow.pyfunc",
    "l1distill.stages.execution",
    "l1distill.tracking.promotion",
    "l1distill.tracking.runs",
)
LIMIT_S = 120.0
"""Generous: nothing here waits for the clock."""
T = TypeVar("T")
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))


def start(function: Callable[..., None], *arguments: object) -> BaseProcess:
    """Runs a function of a module of tests in a process of its own."""
    process = _context.Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def end(process: BaseProcess) -> int:
    """Waits for its end; returns the exit status, or the negative number of its signal."""
    process.join(LIMIT_S)
    assert process.exitcode is not None, "it does not end"
    return process.exitcode


def kill(process: BaseProcess) -> None:
    """Kills it outright."""
    process.kill()
    assert end(process) == -signal.SIGKILL


def wait_for(event: Callable[[], T], limit_s: float = LIMIT_S) -> T:
    """Waits until something is there, or true; returns it."""
    deadline = time.monotonic() + limit_s
    while not (found := event()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)
    return found
