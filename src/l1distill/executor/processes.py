"""Worker processes on this machine."""

import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def local_processes(workers: int | None) -> Executor:
    """Return an executor of processes that do not outlive this one.

    They are spawned, not forked, because MLflow and TensorFlow have threads running by the time
    a stage fans out.

    Args:
        workers: number of processes; one per core if None.
    """
    return ProcessPoolExecutor(
        workers or os.cpu_count() or 1,
        mp_context=get_context("spawn"),
        initializer=_end_with_parent,
    )


def _end_with_parent() -> None:
    """End this worker when its parent is killed, which otherwise leaves it waiting for ever.

    On Ctrl-C, which reaches every process of the terminal, the worker leaves without a message:
    the parent prints one.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
