"""The workers of a search: processes that share its database; progress and Ctrl-C."""

import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path

from l1distill.core.errors import ResourceError
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
TURN_S = 1800.0
"""How long a worker takes part before it is asked again [s]: a cluster gives up what it has lost
several jobs over, and those of a long search all end at their walltime."""
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


def take_turn(part: Part) -> bool:
    """Take part in a search for a while, in a process of its own, so that memory stays bounded.

    XLA keeps every graph that it has compiled, some 20 MB of each shape, until its process ends.

    Args:
        part: what to know.

    Returns:
        Whether the search is finished, or stopped; else another turn is to be taken.

    Raises:
        ResourceError: the process was killed.
    """
    current_process().daemon = False  # as Dask's workers are, which then may have no children
    try:
        with local_processes(1) as fresh:
            return fresh.submit(take_part, part, GROWTH_BYTES, TURN_S).result()
    except BrokenProcessPool as error:
        raise ResourceError(
            "search: a worker was killed, perhaps for want of memory; run again with more of it, "
            "or with fewer workers: what is finished is kept"
        ) from error


def take_part(part: Part, growth: int | None = None, seconds: float = math.inf) -> bool:
    """Take part in a search until it is finished, in a process of its own.

    Args:
        part: what to know.
        growth: memory that the process may take beyond that of its first task [bytes]; None: any.
        seconds: after which no task is begun [s].

    Returns:
        Whether the search is finished, or stopped; not where memory or time are used up.
    """
    # whatever a worker finds is trained anew before it is used: the fastest arithmetic will do
    use_processor_freely(os.environ)
    quiet_libraries()
    store = Store(part.url, part.name)
    try:
        stop, turn = part.problem.with_name(STOP), _Turn(growth, seconds)
        work(
            store,
            part.plan,
            Problem.read(part.problem),
            on_task=turn.look,
            # a command that has ended has taken the items away, and what would tell to stop
            is_stopped=lambda: turn.is_over() or stop.exists() or not part.problem.exists(),
        )
        return not turn.is_over()
    finally:
        store.close()


class _Turn:
    """Looks after each task how much the process has grown since its first one, and at the time."""

    def __init__(self, growth: int | None, seconds: float) -> None:
        self._growth, self._first = growth, 0
        self._until = time.monotonic() + seconds
        self._is_full = False

    def look(self, _: Sequence[Outcome]) -> None:
        now = _resident()
        self._first = self._first or now
        self._is_full = self._growth is not None and now - self._first > self._growth

    def is_over(self) -> bool:
        return self._is_full or time.monotonic() > self._until


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
    with open_executor(settings, folder) as executor:
        turns: set[Future[bool]] = set()
        try:
            for _ in range(workers_of(settings, executor)):
                turns.add(executor.submit(take_turn, part))
            while turns:
                over, turns = wait(turns, _LOOK_S, FIRST_COMPLETED)
                turns |= {executor.submit(take_turn, part) for one in over if not one.result()}
                report(store.outcomes())
        except BaseException as error:
            (folder / STOP).touch()
            # jobs of a cluster are cancelled
            if isinstance(error, KeyboardInterrupt) and isinstance(settings, ProcessesSettings):
                print("search: waiting for what is being trained", file=sys.stderr)
                wait(turns)
            raise


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
