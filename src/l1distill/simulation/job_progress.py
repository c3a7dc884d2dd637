"""Report how far jobs are, and how much time is left: by what jobs of each sample took until now.

The costs that jobs expect of themselves are ratios that were measured once; by how much they are
off differs from sample to sample and from machine to machine.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from l1distill.core.progress import Advance

if TYPE_CHECKING:
    from l1distill.simulation.jobs import Job

LEAST_S = 2.0
"""Time of workers that is measured before there is an estimate [s]."""
_WORTH = 0.1
"""Share of an average job of a sample that counts as much as what all samples took."""


class TimePerCost:
    """How long jobs take for their cost, sample by sample; measured while they run.

    Args:
        jobs: all of them.
    """

    def __init__(self, jobs: "Iterable[Job]") -> None:
        """Begin without a measurement."""
        costs: dict[str, list[float]] = {}
        for job in jobs:
            costs.setdefault(job.sample, []).append(job.cost)
        self._worth = {name: _WORTH * fmean(several) for name, several in costs.items()}
        self._seconds, self._cost = dict.fromkeys(costs, 0.0), dict.fromkeys(costs, 0.0)

    @property
    def measured_s(self) -> float:
        """Time of workers that was measured [s]."""
        return sum(self._seconds.values())

    def add(self, job: "Job", share: float, seconds: float) -> None:
        """Add that a worker needed ``seconds`` for a share of a job."""
        self._seconds[job.sample] += seconds
        self._cost[job.sample] += share * job.cost

    def expect(self, job: "Job", share: float) -> float:
        """Return the time that a share of a job takes [s]."""
        of_all = self.measured_s / max(sum(self._cost.values()), 1e-9)
        worth, sample = self._worth[job.sample], job.sample
        per_cost = (self._seconds[sample] + worth * of_all) / (self._cost[sample] + worth)
        return share * job.cost * per_cost


class Reporter:
    """Report the progress of jobs as differences, which are never negative.

    Args:
        jobs: all of them.
        finished: those that an earlier run finished.
        read: returns the fraction of a job that is done; None if it has not begun.
        progress: told what is done, see :func:`.jobs.run_jobs`.
    """

    def __init__(
        self,
        jobs: "Sequence[Job]",
        finished: set[Any],
        read: "Callable[[Job], float | None]",
        progress: Advance | None,
    ) -> None:
        """Report what an earlier run left."""
        self.finished = finished
        self._jobs, self._read, self._progress = jobs, read, progress
        self._times = TimePerCost(jobs)
        self._seen: dict[Job, tuple[float, float]] = {}
        self._workers = 0
        self._begun = False
        self._jobs_of_earlier_run = len(finished)
        self._events = sum(job.events for job in finished)
        self._work = float(sum(job.cost for job in finished))
        if progress is not None and finished:
            progress(self._events, self._work, earlier=True)

    def update(self, running: "Iterable[Job]", last: bool = False) -> None:
        """Report what is done since the last call, of finished and of running jobs.

        Args:
            running: jobs whose notes are read.
            last: report also if nothing was done.
        """
        if self._progress is None:
            return
        noted = {job: share for job in running if (share := self._read(job)) is not None}
        self._measure(noted, time.monotonic())
        self._begun |= len(self.finished) > self._jobs_of_earlier_run or any(noted.values())
        if not self._begun and not last:
            return
        fractions = dict.fromkeys(self.finished, 1.0) | noted
        events = sum(int(share * job.events) for job, share in fractions.items())
        work = sum(share * job.cost for job, share in fractions.items())
        # a worker that was killed starts its job again from nothing
        events, work = max(events, self._events), max(work, self._work)
        self._progress(events - self._events, work - self._work, left_s=self._left_s(noted))
        self._events, self._work = events, work

    def _measure(self, noted: "dict[Job, float]", now: float) -> None:
        """Add what jobs took since they last noted something, and forget those that ended."""
        self._workers = max(self._workers, len(noted))
        for job, (share, since) in self._seen.items():
            until = 1.0 if job in self.finished else noted.get(job, share)
            if until > share:  # else it is at its start, or begins again elsewhere
                self._times.add(job, until - share, now - since)
        stands = {job for job, share in noted.items() if self._seen.get(job, (-1.0,))[0] == share}
        self._seen = {
            job: self._seen[job] if job in stands else (share, now) for job, share in noted.items()
        }

    def _left_s(self, noted: "dict[Job, float]") -> float | None:
        """Return the time left [s], where enough is measured."""
        if self._times.measured_s < LEAST_S:
            return None
        expected = [
            self._times.expect(job, 1.0 - noted.get(job, 0.0))
            for job in self._jobs
            if job not in self.finished
        ]
        # the last jobs may leave workers with nothing to do
        return max(sum(expected) / max(self._workers, 1), max(expected, default=0.0))
