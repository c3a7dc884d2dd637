"""An executor that runs jobs as they are submitted, and may stop like a killed run."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Inline(Executor):
    """Runs each job in this process; ``names`` are those of the jobs that were run."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.names: list[str] = []
        self._stop_after = stop_after

    @property
    def done(self) -> int:
        return len(self.names)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.done == self._stop_after:
            raise KeyboardInterrupt
        self.names.append(args[1].name)
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
