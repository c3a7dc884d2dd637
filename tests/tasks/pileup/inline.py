"""An executor that runs jobs as they are submitted, and may stop like a killed run."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Inline(Executor):
    def __init__(self, stop_after: int | None = None) -> None:
        self.done = 0
        self._stop_after = stop_after

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.done == self._stop_after:
            raise KeyboardInterrupt
        self.done += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
