"""The workers of a search: processes that share its database; progress and Ctrl-C."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from l1distill.core.logging import quiet_libraries
from l1distill.core.processor import use_processor_freely
from l1distill.core.progress import Advance, progress
from l1distill.executor.choice import open_executor, workers_of
from l1distill.executor.processes import local_processes
from l1distill.executor.settings import ExecutorSettings, ProcessesSettings
from l1distill.search.effort import epochs_expected, epochs_of, epochs_per_cpu_s
from l1distill.search.plan import Plan
from l1distill.search.problem import Problem
from l1distill.search.records import Outcome
from l1distill.search.store import Store
from l1distill.search.worker import work

PROBLEM = "problem.npz"
"""File with the items, for the workers."""
STOP = "stop"
"""File that tells workers to leave behind the task that they are at."""
GROWTH_BYTES = 2**29
"""Memory that a worker takes for what it compiles, before another process takes its place."""
_LOOK_S = 2.0
"""Between two looks at what workers have recorded [s]."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a worker has to know; goes to other processes.

    Attributes:
        url: of the database.
        name: of the search.
        plan: what decides it.
        problem: file of the items.
    """

    url: str
    name: str
    plan: Plan
    problem: Path


def take_part_in_turns(part: Part) -> None:
    """Take part in a search in one process after the other, so that memory stays bounded.

    XLA keeps every graph that it has compiled, some 20 MB of each shape, until its process ends.
    """
    _ignore_ctrl_c()
    ended = False
    while not ended:
        with local_processes(1) as fresh:
            ended = fresh.submit(take_part, part, GROWTH_BYTES).result()


def take_part(part: Part, growth: int | None = None) -> bool:
    """Take part in a search until it is finished, in a process of its own.

    Args:
        part: what to know.
        growth: memory that the process may take beyond that of its first task [bytes]; None: any.

    Returns:
        Whether the search is finished, or stopped; not where the memory is used up.
    """
    _ignore_ctrl_c()
    # whatever a worker finds is trained anew before it is used: the fastest arithmetic will do
    use_processor_freely(os.environ)
    quiet_libraries()
    store = Store(part.url, part.name)
    try:
        stop, memory = part.problem.with_name(STOP), _Memory(growth)
        work(
            store,
            part.plan,
            Problem.read(part.problem),
            on_task=memory.look,
            is_stopped=lambda: memory.is_full or stop.exists(),
        )
        return not memory.is_full
    finally:
        store.close()


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the command itself."""
    import signal

    with suppress(ValueError):  # of Dask, whose workers are threads
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Memory:
    """Looks after each task how much the process has grown since its first one."""

    def __init__(self, growth: int | None) -> None:
        self._growth, self._first = growth, 0
        self.is_full = False

    def look(self, _: Sequence[Outcome]) -> None:
        now = _resident()
        self._first = self._first or now
        self.is_full = self._growth is not None and now - self._first > self._growth


def _resident() -> int:
    """Return the memory that this process holds [bytes]; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def search(
    store: Store,
    plan: Plan,
    problem: Problem,
    executor: ExecutorSettings,
    folder: Path,
) -> bool:
    """Search until all candidates are trained.

    Args:
        store: of the search.
        plan: what decides it.
        problem: what candidates learn.
        executor: where.
        folder: for the items, which all workers have to see.

    Returns:
        Whether it came to its end; not where it was interrupted by Ctrl-C.
    """
    total = sum(number for _, number in plan.phases)
    before = store.outcomes()
    expected = epochs_expected(plan.settings, total, before)
    rate = epochs_per_cpu_s(store.tasks(), before)
    workers = (
        executor.workers or os.cpu_count() if isinstance(executor, ProcessesSettings) else None
    )
    known = rate * workers if rate and workers else None
    try:
        with progress("search", total, "candidates", expected, known) as advance:
            report = _Report(plan, total, advance)
            report(before, earlier=True)
            problem.write(folder / PROBLEM)
            _share(store, plan, executor, folder, report)
    except KeyboardInterrupt:
        print("search: interrupted; what is trained is kept", file=sys.stderr)
        return False
    return True


def _share(
    store: Store, plan: Plan, settings: ExecutorSettings, folder: Path, report: "_Report"
) -> None:
    """Have workers search, and report what they record."""
    (folder / STOP).unlink(missing_ok=True)
    part = Part(url=store.url, name=store.name, plan=plan, problem=folder / PROBLEM)
    in_processes = isinstance(settings, ProcessesSettings)
    worker: Callable[[Part], object] = take_part_in_turns if in_processes else take_part
    with open_executor(settings, folder) as executor:
        futures: list[Future[object]] = [
            executor.submit(worker, part) for _ in range(workers_of(settings, executor))
        ]
        try:
            while wait(futures, _LOOK_S).not_done:
                report(store.outcomes())
        except KeyboardInterrupt:
            (folder / STOP).touch()
            print("search: waiting for what is being trained", file=sys.stderr)
            raise
        for future in futures:
            future.result()
    report(store.outcomes())


class _Report:
    """Tells how many candidates are done, and of every better one."""

    def __init__(self, plan: Plan, total: int, advance: Advance) -> None:
        self._settings, self._total, self._advance = plan.settings, total, advance
        self._last = len(plan.settings.rungs)
        self._seen, self._epochs = 0, 0
        self._best = float("inf")

    def __call__(self, outcomes: Sequence[Outcome], *, earlier: bool = False) -> None:
        epochs = epochs_of(outcomes)
        new, trained = len(epochs) - self._seen, sum(epochs.values()) - self._epochs
        if trained:
            expected = epochs_expected(self._settings, self._total, outcomes)
            self._advance(new, trained, total_weight=expected, earlier=earlier)
            self._seen, self._epochs = self._seen + new, self._epochs + trained
        full = [one for one in outcomes if one.rung == self._last and one.loss is not None]
        best = min(full, key=lambda one: one.loss or 0.0, default=None)
        if best is not None and best.loss is not None and best.loss < self._best:
            self._best = best.loss
            lut = best.costs.get("lut_estimate")
            cost = "" if lut is None else f", about {lut:,.0f} LUT"
            print(
                f"search: best so far: candidate {best.number}, validation loss {best.loss:.4g}"
                f"{cost}",
                file=sys.stderr,
                flush=True,
            )
