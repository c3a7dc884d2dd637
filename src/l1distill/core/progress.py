"""Show the progress of a long task: a live bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

LOG_EVERY_S = 10.0
"""Seconds between two lines where the output is not a terminal."""
RATE_WINDOW_S = 30.0
"""Shortest time over which the rate behind the time left is measured [s]."""


LEAST_RATE = 1.0
"""Units per second from which a rate is told with one decimal; slower ones by two digits."""


class Advance(Protocol):
    """Report that more of a task is done."""

    def __call__(
        self,
        done: int,
        weight: float | None = None,
        *,
        total_weight: float | None = None,
        left_s: float | None = None,
        earlier: bool = False,
    ) -> None:
        """Add to what is done.

        Args:
            done: units finished since the last call; 0 for work that finishes no unit, such as
                preparation.
            weight: the share of the task's ``total_weight`` that went into them; ``done`` if None.
            total_weight: the work of the whole task as it is expected now; None: as before.
            left_s: the time left, where who reports knows it better than its rate does [s].
            earlier: whether an earlier run did them: they are counted, and are in no rate.
        """


@contextmanager
def progress(
    description: str,
    total: int,
    unit: str,
    total_weight: float | None = None,
    weight_per_s: float | None = None,
) -> Iterator[Advance]:
    """Show how far a task is, with its rate and an estimate of the time left.

    Args:
        description: the task, as the user would call it.
        total: number of units.
        unit: plural name of the unit ("events").
        total_weight: the work of the whole task, where units take unequal time; any measure that is
            proportional to time does (CPU seconds of a trial run, bytes). ``total`` if None. It
            decides the time left alone: what is counted and shown are units.
        weight_per_s: rate [weight/s] by which the time left is told until there is one of this run,
            such as that of an earlier run; None: it is not told.

    Yields:
        The function to call with what is done since its last call.
    """
    show = _show_bar if sys.stderr.isatty() else _show_lines
    left = TimeLeft(total_weight or total, time.monotonic(), weight_per_s)
    with show(description, total, unit, left) as advance:
        yield advance


class TimeLeft:
    """Estimate the time left from the rate of the last reports.

    The first report is left out of the rate, since start-up (imports, compilation of a graph) is
    in it. Parallel workers that start together report together, in bursts, which a short window
    would take for the rate: the window is at least four times as long as the first report took,
    and there is no estimate before half that time has passed once more.

    Args:
        total_weight: the work of the whole task.
        start: time at which it began [s].
        rate: by which the time left is told until there is one of this run [weight/s]; None: none.
    """

    def __init__(self, total_weight: float, start: float, rate: float | None = None) -> None:
        """Start with no report."""
        self._total = total_weight
        self._start = start
        self._expected_rate = rate
        self._window = RATE_WINDOW_S
        self._least = 0.0
        self._earlier = self._done = 0.0
        self._end: float | None = None
        self._reports: deque[tuple[float, float]] = deque()

    def report(
        self,
        weight: float,
        now: float,
        *,
        total_weight: float | None = None,
        left_s: float | None = None,
        earlier: bool = False,
    ) -> None:
        """Add work that is done, at the time ``now`` [s]; see :class:`Advance`."""
        self._total = self._total if total_weight is None else total_weight
        self._end = self._end if left_s is None else now + left_s
        if earlier:
            self._earlier += weight
            return
        if not self._reports:
            self._window = max(RATE_WINDOW_S, 4 * (now - self._start))
            self._least = (now - self._start) / 2
        self._done += weight
        self._reports.append((now, self._done))
        while len(self._reports) > 2 and self._reports[1][0] <= now - self._window:
            self._reports.popleft()

    def at(self, now: float) -> float | None:
        """Return the time left [s] at the time ``now``; None while there is no estimate."""
        if self._end is not None:
            return max(0.0, self._end - now)
        rate, since = self._expected_rate, self._start
        if self._reports:
            (first, done_first), (since, done_last) = self._reports[0], self._reports[-1]
            if since - first >= max(self._least, 1.0) and done_last > done_first:
                rate = (done_last - done_first) / (since - first)
        left = self._total - self._earlier - self._done
        return max(0.0, left / rate - (now - since)) if rate else None


def format_duration(seconds: float) -> str:
    """Return a duration as ``47 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Count:
    """Count units, and give the rate at which this run does them."""

    def __init__(self, unit: str) -> None:
        self.done = self._earlier = 0
        self._unit = unit
        self._start = time.monotonic()

    def add(self, done: int, *, earlier: bool) -> None:
        self.done += done
        self._earlier += done if earlier else 0

    @property
    def rate(self) -> str:
        """The rate in words; empty before this run has done anything."""
        return self._rate(time.monotonic() - self._start)

    def _rate(self, elapsed: float) -> str:
        ours = self.done - self._earlier
        if not ours or elapsed <= 0:
            return ""
        rate = ours / elapsed
        return f"{rate:{',.1f' if rate >= LEAST_RATE else '.2g'}} {self._unit}/s"

    @property
    def whole(self) -> str:
        """What was done, by this run and by earlier ones."""
        seconds = time.monotonic() - self._start
        elapsed, rate = f"{seconds:.1f} s", self._rate(seconds) or f"- {self._unit}/s"
        if not self._earlier:
            return f"{self.done} {self._unit} in {elapsed} ({rate})"
        ours = f"{self.done - self._earlier} in {elapsed} ({rate})"
        return f"{self.done} {self._unit}: {self._earlier} by an earlier run, {ours}"


@contextmanager
def _show_bar(description: str, total: int, unit: str, time_left: TimeLeft) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    count = _Count(unit)

    class RateColumn(ProgressColumn):
        """Units per second, of this run."""

        def render(self, _: "Task") -> "Text":
            return Text(count.rate or f"- {unit}/s", style="cyan")

    class TimeLeftColumn(ProgressColumn):
        """The time left, once there is an estimate."""

        def render(self, task: "Task") -> "Text":
            left = None if task.finished else time_left.at(time.monotonic())
            return Text("" if left is None else f"{format_duration(left)} left", style="cyan")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeLeftColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)

        def advance(
            done: int,
            weight: float | None = None,
            *,
            total_weight: float | None = None,
            left_s: float | None = None,
            earlier: bool = False,
        ) -> None:
            given, now = done if weight is None else weight, time.monotonic()
            time_left.report(given, now, total_weight=total_weight, left_s=left_s, earlier=earlier)
            count.add(done, earlier=earlier)
            bar.advance(task, done)

        yield advance


@contextmanager
def _show_lines(description: str, total: int, unit: str, time_left: TimeLeft) -> Iterator[Advance]:
    last_line = time.monotonic()
    count = _Count(unit)

    def advance(
        done: int,
        weight: float | None = None,
        *,
        total_weight: float | None = None,
        left_s: float | None = None,
        earlier: bool = False,
    ) -> None:
        nonlocal last_line
        given, now = done if weight is None else weight, time.monotonic()
        time_left.report(given, now, total_weight=total_weight, left_s=left_s, earlier=earlier)
        count.add(done, earlier=earlier)
        if now - last_line < LOG_EVERY_S or count.done >= total:
            return
        last_line = now
        left = time_left.at(now)
        words = [count.rate, "" if left is None else f"{format_duration(left)} left"]
        line = ", ".join([f"{description}: {count.done}/{total} {unit}", *filter(None, words)])
        print(line, file=sys.stderr, flush=True)

    yield advance
    print(f"{description}: {count.whole}", file=sys.stderr, flush=True)
