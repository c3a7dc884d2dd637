"""Progress that a person can read: a live bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG_EVERY_S = 10.0
"""Seconds between two lines where the output is not a terminal."""


@contextmanager
def progress(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Shows how far a task of ``total`` units is, with its rate and the time left.

    Args:
        description: what is going on, as the user would say it.
        total: how many units there are.
        unit: the plural name of the unit, for the rate ("events").

    Yields:
        A function to call with the number of units done since its last call.
    """
    show = _bar if sys.stderr.isatty() else _lines
    with show(description, total, unit) as advance:
        yield advance


@contextmanager
def _bar(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Units a second over the last half minute, or over the whole task once it is done."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.1f} {unit}/s" if speed else f"- {unit}/s", style="cyan")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def _lines(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    start = last = time.monotonic()
    count = 0

    def line() -> str:
        elapsed = time.monotonic() - start
        rate = count / elapsed if elapsed > 0 else 0.0
        left = f"{(total - count) / rate:.0f} s left" if rate > 0 else "time left unknown"
        return f"{description}: {count}/{total} {unit}, {rate:,.1f} {unit}/s, {left}"

    def advance(done: int) -> None:
        nonlocal count, last
        count += done
        now = time.monotonic()
        if now - last >= LOG_EVERY_S and count < total:
            last = now
            print(line(), file=sys.stderr, flush=True)

    yield advance
    elapsed = time.monotonic() - start
    print(
        f"{description}: {count} {unit} in {elapsed:.1f} s "
        f"({count / elapsed if elapsed > 0 else 0.0:,.1f} {unit}/s)",
        file=sys.stderr,
        flush=True,
    )
