"""The time left of jobs whose costs are off by a factor of their own for each sample."""

from dataclasses import dataclass
from typing import Any

import pytest

from l1distill.simulation import job_progress
from l1distill.simulation.job_progress import Reporter


@dataclass(frozen=True)
class Piece:
    sample: str
    number: int
    seconds: float
    events: int = 10
    cost: float = 10.0

    @property
    def name(self) -> str:
        return f"{self.sample}-{self.number}"


class Machine:
    """Workers that take jobs in order, and note how far they are."""

    def __init__(self, workers: int) -> None:
        self.now, self.workers = 0.0, workers
        self.begun: dict[Piece, float] = {}

    def monotonic(self) -> float:
        return self.now

    def read(self, job: Piece) -> float | None:
        at = self.begun.get(job)
        return None if at is None else min((self.now - at) / job.seconds, 1.0)


def _estimates(
    jobs: list[Piece], workers: int, monkeypatch: pytest.MonkeyPatch, step: float = 0.5
) -> tuple[list[tuple[float, float]], float]:
    """Runs jobs; returns each estimate with its time, and when all were done."""
    machine = Machine(workers)
    monkeypatch.setattr(job_progress, "time", machine)
    told: list[tuple[float, float]] = []

    def advance(*_: Any, left_s: float | None = None, **__: Any) -> None:
        if left_s is not None:
            told.append((machine.now, left_s))

    reporter = Reporter(jobs, set(), machine.read, advance)  # type: ignore[arg-type]
    waiting, running = list(jobs), list[Piece]()
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.pop(0))
            machine.begun[running[-1]] = machine.now
        machine.now += step
        ended = [job for job in running if machine.read(job) == 1.0]
        reporter.finished |= {*ended}
        running = [job for job in running if job not in ended]
        reporter.update([*running, *waiting])  # type: ignore[list-item]
    return told, machine.now


def test_a_sample_that_takes_longer_than_expected_is_known_from_its_first_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jobs of the second sample cost the same by their own account, and take four times as long."""
    quick = [Piece("quick", number, 5.0) for number in range(8)]
    slow = [Piece("slow", number, 20.0) for number in range(8)]
    told, end = _estimates([slow[0], *quick, *slow[1:]], 2, monkeypatch)
    assert end == pytest.approx(100.0, abs=10.0)
    for since, within in ((25.0, 0.15), (50.0, 0.12)):  # one slow job is done; three more
        ratios = [(now + left) / end for now, left in told if now > since]
        assert len(ratios) > 90
        assert 1 - within < min(ratios) < max(ratios) < 1 + within
    # by the work alone, as if all costs were alike, it would be half of it
    at, left = next(one for one in told if one[0] > 25.0)
    work_done = 10.0 * (1 + (at - 20.0) / 20.0 + at / 5.0)
    assert left > 1.5 * at * (160.0 - work_done) / work_done


def test_the_last_job_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker has nothing left to do while the other is at the last job."""
    told, end = _estimates([Piece("a", number, 20.0) for number in range(3)], 2, monkeypatch)
    assert end == pytest.approx(40.0)
    assert all(now + left == pytest.approx(end, abs=1.5) for now, left in told if now > 21.0)


def test_nothing_is_told_before_enough_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _ = _estimates([Piece("a", 0, 1.0)], 1, monkeypatch)
    assert told == []


def test_a_job_that_a_killed_worker_left_is_expected_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(1)
    monkeypatch.setattr(job_progress, "time", machine)
    told: list[float | None] = []
    job = Piece("a", 0, 10.0)
    reporter = Reporter(
        [job],  # type: ignore[list-item]
        set(),
        machine.read,  # type: ignore[arg-type]
        lambda *_, left_s=None, **__: told.append(left_s),
    )
    machine.begun[job] = 0.0
    for now in (1.0, 4.0, 6.0):
        machine.now = now
        reporter.update([job])  # type: ignore[list-item]
    assert told[-1] == pytest.approx(4.0)
    machine.begun[job] = 6.0
    machine.now = 7.0
    reporter.update([job])  # type: ignore[list-item]
    assert told[-1] == pytest.approx(9.0)
