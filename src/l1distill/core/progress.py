"""Show the progress of a long task: a live bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

LOG_EVERY_S = 10.0
"""Seconds between two lines where the output is not a terminal."""
RATE_WINDOW_S = 30.0
"""Shortest time over which the rate behind the time left is measured [s]; it is the one shown, and
at the end that of the whole task."""


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
    meter = _Meter(total, unit, TimeLeft(total_weight or total, time.monotonic(), weight_per_s))
    show = _bar if sys.stderr.isatty() else _lines
    with show(description, meter) as shown:

        def advance(
            done: int,
            weight: float | None = None,
            *,
            total_weight: float | None = None,
            left_s: float | None = None,
            earlier: bool = False,
        ) -> None:
            meter.add(done, earlier=earlier)
            meter.left.report(
                done if weight is None else weight,
                time.monotonic(),
                units=done,
                total_weight=total_weight,
                left_s=left_s,
                earlier=earlier,
            )
            shown(done)

        yield advance


class TimeLeft:
    """Estimate the time left, and tell the rate behind it, from the last reports.

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
        self._units = 0.0
        self._end: float | None = None
        self._reports: deque[tuple[float, float, float]] = deque()

    def report(
        self,
        weight: float,
        now: float,
        *,
        units: float = 0.0,
        total_weight: float | None = None,
        left_s: float | None = None,
        earlier: bool = False,
    ) -> None:
        """Add work that is done, and units, at the time ``now`` [s]; see :class:`Advance`."""
        self._total = self._total if total_weight is None else total_weight
        self._end = self._end if left_s is None else now + left_s
        if earlier:
            self._earlier += weight
            return
        if not self._reports:
            self._window = max(RATE_WINDOW_S, 4 * (now - self._start))
            self._least = (now - self._start) / 2
        self._done += weight
        self._units += units
        self._reports.append((now, self._done, self._units))
        while len(self._reports) > 2 and self._reports[1][0] <= now - self._window:
            self._reports.popleft()

    def at(self, now: float) -> float | None:
        """Return the time left [s] at the time ``now``; None while there is no estimate."""
        if self._end is not None:
            return max(0.0, self._end - now)
        rate, since = self._expected_rate, self._start
        if self._reports:
            since = self._reports[-1][0]
            rate = self._rate(1) or rate
        left = self._total - self._earlier - self._done
        return max(0.0, left / rate - (now - since)) if rate else None

    @property
    def rate(self) -> float | None:
        """Units per second of the same reports; None while there is no estimate."""
        return self._rate(2)

    def _rate(self, column: int) -> float | None:
        if not self._reports:
            return None
        first, last = self._reports[0], self._reports[-1]
        seconds, done = last[0] - first[0], last[column] - first[column]
        return done / seconds if seconds >= max(self._least, 1.0) and done > 0 else None


def format_duration(seconds: float) -> str:
    """Return a duration as ``47 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Meter:
    """What is done of a task, at what rate, and the time left."""

    def __init__(self, total: int, unit: str, left: TimeLeft) -> None:
        self.total, self.unit, self.left = total, unit, left
        self.done = self._earlier = 0
        self._start = time.monotonic()
        self._end: float | None = None

    def add(self, done: int, *, earlier: bool) -> None:
        self.done += done
        self._earlier += done if earlier else 0
        if done and self.done >= self.total:
            self._end = time.monotonic()

    @property
    def rate(self) -> str:
        """The rate in words, that behind the time left; empty before anything is done."""
        recent = self.left.rate if self.done < self.total else None
        now = time.monotonic() if self._end is None else self._end
        return self._words(recent or self._mean(now - self._start))

    def _mean(self, elapsed: float) -> float:
        """Return the rate of this run."""
        return (self.done - self._earlier) / elapsed if elapsed > 0 else 0.0

    def _words(self, rate: float) -> str:
        return f"{rate:{',.1f' if rate >= LEAST_RATE else '.2g'}} {self.unit}/s" if rate else ""

    @property
    def time_left(self) -> str:
        """The time left in words; empty while there is no estimate, and at the end."""
        left = self.left.at(time.monotonic()) if self.done < self.total else None
        return "" if left is None else f"{format_duration(left)} left"

    @property
    def whole(self) -> str:
        """What was done, by this run and by earlier ones."""
        seconds = time.monotonic() - self._start
        elapsed, rate = f"{seconds:.1f} s", self._words(self._mean(seconds)) or f"- {self.unit}/s"
        if not self._earlier:
            return f"{self.done} {self.unit} in {elapsed} ({rate})"
        ours = f"{self.done - self._earlier} in {elapsed} ({rate})"
        return f"{self.done} {self.unit}: {self._earlier} by an earlier run, {ours}"


Shown = Callable[[int], None]
"""Show what the meter says, after so many units more."""


@contextmanager
def _bar(description: str, meter: _Meter) -> Iterator[Shown]:
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

    class RateColumn(ProgressColumn):
        """Units per second, of this run."""

        def render(self, _: "Task") -> "Text":
            return Text(meter.rate or f"- {meter.unit}/s", style="cyan")

    class TimeLeftColumn(ProgressColumn):
        """The time left, once there is an estimate."""

        def render(self, _: "Task") -> "Text":
            return Text(meter.time_left, style="cyan")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeLeftColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=meter.total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def _lines(description: str, meter: _Meter) -> Iterator[Shown]:
    last_line = time.monotonic()

    def shown(_: int) -> None:
        nonlocal last_line
        now = time.monotonic()
        if now - last_line < LOG_EVERY_S or meter.done >= meter.total:
            return
        last_line = now
        counted = f"{description}: {meter.done}/{meter.total} {meter.unit}"
        words = filter(None, (counted, meter.rate, meter.time_left))
        print(", ".join(words), file=sys.stderr, flush=True)

    yield shown
    print(f"{description}: {meter.whole}", file=sys.stderr, flush=True)
