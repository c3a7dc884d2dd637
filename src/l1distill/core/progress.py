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


class Advance(Protocol):
    """Report that more of a task is done."""

    def __call__(self, done: int, weight: float | None = None) -> None:
        """Add to what is done.

        Args:
            done: units finished since the last call; 0 for work that finishes no unit, such as
                preparation.
            weight: the share of the task's ``total_weight`` that went into them; ``done`` if None.
        """


@contextmanager
def progress(
    description: str, total: int, unit: str, total_weight: float | None = None
) -> Iterator[Advance]:
    """Show how far a task is, with its rate and an estimate of the time left.

    Args:
        description: the task, as the user would call it.
        total: number of units.
        unit: plural name of the unit ("events").
        total_weight: the work of the whole task, where units take unequal time; any measure that is
            proportional to time does (CPU seconds of a trial run, bytes). ``total`` if None. It
            decides the time left alone: what is counted and shown are units.

    Yields:
        The function to call with what is done since its last call.
    """
    show = _show_bar if sys.stderr.isatty() else _show_lines
    with show(description, total, unit, total_weight or total) as advance:
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
    """

    def __init__(self, total_weight: float, start: float) -> None:
        """Start with no report."""
        self._total = total_weight
        self._start = start
        self._window = RATE_WINDOW_S
        self._least = 0.0
        self._done = 0.0
        self._reports: deque[tuple[float, float]] = deque()

    def report(self, weight: float, now: float) -> None:
        """Add work that is done, at the time ``now`` [s]."""
        if not self._reports:
            self._window = max(RATE_WINDOW_S, 4 * (now - self._start))
            self._least = (now - self._start) / 2
        self._done += weight
        self._reports.append((now, self._done))
        while len(self._reports) > 2 and self._reports[1][0] <= now - self._window:
            self._reports.popleft()

    def at(self, now: float) -> float | None:
        """Return the time left [s] at the time ``now``; None while there is no estimate."""
        if not self._reports:
            return None
        (first, done_first), (last, done_last) = self._reports[0], self._reports[-1]
        if last - first < max(self._least, 1.0) or done_last <= done_first:
            return None
        rate = (done_last - done_first) / (last - first)
        return max(0.0, (self._total - self._done) / rate - (now - last))


def format_duration(seconds: float) -> str:
    """Return a duration as ``47 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def _show_bar(description: str, total: int, unit: str, total_weight: float) -> Iterator[Advance]:
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

    time_left = TimeLeft(total_weight, time.monotonic())

    class RateColumn(ProgressColumn):
        """Units per second, averaged by rich, or over the whole task once it is done."""

        def render(self, task: "Task") -> "Text":
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.1f} {unit}/s" if speed else f"- {unit}/s", style="cyan")

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

        def advance(done: int, weight: float | None = None) -> None:
            time_left.report(done if weight is None else weight, time.monotonic())
            bar.advance(task, done)

        yield advance


@contextmanager
def _show_lines(description: str, total: int, unit: str, total_weight: float) -> Iterator[Advance]:
    start = last_line = time.monotonic()
    time_left = TimeLeft(total_weight, start)
    count = 0

    def advance(done: int, weight: float | None = None) -> None:
        nonlocal count, last_line
        count += done
        now = time.monotonic()
        time_left.report(done if weight is None else weight, now)
        if now - last_line < LOG_EVERY_S or count >= total:
            return
        last_line = now
        line = f"{description}: {count}/{total} {unit}, {_rate(count, now - start)} {unit}/s"
        left = time_left.at(now)
        if left is not None:
            line += f", {format_duration(left)} left"
        print(line, file=sys.stderr, flush=True)

    yield advance
    elapsed = time.monotonic() - start
    print(
        f"{description}: {count} {unit} in {elapsed:.1f} s ({_rate(count, elapsed)} {unit}/s)",
        file=sys.stderr,
        flush=True,
    )


def _rate(count: int, elapsed: float) -> str:
    return f"{count / elapsed if elapsed > 0 else 0.0:,.1f}"
