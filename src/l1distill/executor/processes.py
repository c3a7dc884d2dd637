"""Worker processes on this machine."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

T = TypeVar("T")

FOR_PARENT = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C and the end of a batch job reach every process; what follows is the parent's decision."""

MOMENT_S = 0.5
"""How long workers go on after their end, for the pool to take back what waits [s]: it gives each
task that is left an error, and that of Python 3.11 stumbles over one that is canceled."""
GRACE_S = 10.0
"""How long a task then has to close what it has open [s]."""

_ended = threading.Event()
"""In a worker: whether it is to end."""


class _Worker(SpawnProcess):
    """A process that these signals do not reach while it starts: it keeps its parent's mask."""

    def start(self) -> None:
        resource_tracker.ensure_running()  # it would lift the mask where it is started below
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_PARENT)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    Process = _Worker


class _Pool(ProcessPoolExecutor):
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(_unless_ended, fn, *args, **kwargs)


def _unless_ended(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function; a worker that is to end begins no other, and has nothing open behind it."""
    try:
        return function(*args, **kwargs)
    finally:
        if _ended.is_set():
            os._exit(1)


@contextmanager
def local_processes(workers: int | None) -> Iterator[Executor]:
    """Open an executor of processes that do not outlive this one, or an error.

    They are spawned, not forked, because MLflow and TensorFlow have threads running by the time
    a stage fans out.

    Args:
        workers: number of processes; one per core if None.

    Yields:
        The executor. An error that leaves it, Ctrl-C among them, ends the workers: their tasks are
        ended by ``SystemExit``, and what is not done then by the operating system.
    """
    context = _Context()
    reader, writer = context.Pipe(duplex=False)
    executor = _Pool(
        workers or os.cpu_count() or 1,
        mp_context=context,
        initializer=_end_with_parent,
        initargs=(reader,),
    )
    try:
        yield executor
    except BaseException:
        writer.close()
        executor.shutdown(cancel_futures=True)
        raise
    finally:
        executor.shutdown()
        writer.close()
        reader.close()


def _end_with_parent(reader: "Connection[Any, Any]") -> None:
    """End this worker when its parent says so, or is killed, which else leaves it waiting for ever.

    Args:
        reader: of a pipe that the parent closes.
    """
    leaving = False

    def leave(number: int, _: object) -> None:
        nonlocal leaving
        if number == signal.SIGTERM and _ended.is_set() and not leaving:
            leaving = True
            raise SystemExit(1)

    for number in FOR_PARENT:
        signal.signal(number, leave)  # not ignored, as the programs it starts would be
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_PARENT)
    parent, main = parent_process(), threading.main_thread().ident
    ends: list[Any] = [reader] if parent is None else [reader, parent.sentinel]

    def watch() -> None:
        wait(ends)
        time.sleep(MOMENT_S)
        _ended.set()
        signal.pthread_kill(main or 0, signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
