"""Jobs that a data set is made of: run on any executor, reported as they go, resumed after a kill.

A job leaves one file. A file under its final name is complete; what depends on settings and seed
alone is made once, whatever the executor and the number of its workers.
"""

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from l1distill.core.closure import closure_sha256
from l1distill.core.progress import Advance
from l1distill.simulation.job_progress import Reporter

Progress = Advance
"""Called with events accepted and work done since the last call; the work of a whole data set is
the sum of the costs of its jobs."""

_POLL_S = 0.5
_PACKAGES = ("l1distill", "pythia8mc", "fastjet", "awkward", "numpy", "h5py")


class Job(Protocol):
    """A piece of work that leaves one file; hashable."""

    @property
    def name(self) -> str:
        """File name without suffix."""

    @property
    def sample(self) -> str:
        """What it makes: the costs of jobs that make the same are off by the same factor."""

    @property
    def events(self) -> int:
        """Events of the data set that it makes."""

    @property
    def cost(self) -> float:
        """Expected CPU time, in any unit that all jobs share."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, kw_only=True)
class SampleShard:
    """A piece of one sample; a task adds what it costs.

    Attributes:
        sample: Name of the sample.
        number: Number of the shard within the sample.
        events: Events of the data set to make.
        seed: Its own seed.
    """

    sample: str
    number: int
    events: int
    seed: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return f"{self.sample}-{self.number:05d}"


@dataclass(frozen=True, kw_only=True)
class EventBlock:
    """Some events of a sample that is there.

    Attributes:
        sample: Name of the sample.
        start: First event.
        events: How many.
    """

    sample: str
    start: int
    events: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return f"{self.sample}-{self.start:08d}"

    @property
    def cost(self) -> float:
        """Expected CPU time, in events."""
        return float(self.events)


def blocks_of(sample: str, events: int, size: int) -> list[EventBlock]:
    """Divide the events of a sample into blocks of ``size``, the last of what is left."""
    return [
        EventBlock(sample=sample, start=number * size, events=part)
        for number, part in divide(events, size)
    ]


def divide(events: int, size: int) -> Iterator[tuple[int, int]]:
    """Divide events into pieces of ``size``, the last of what is left.

    Yields:
        Number of the piece, from 0 on, and its events.
    """
    for number, start in enumerate(range(0, events, size)):
        yield number, min(size, events - start)


def job_path(folder: Path, job: Job) -> Path:
    """Return the path of the file that a job makes."""
    return folder / f"{job.name}.npz"


def progress_path(folder: Path, job: Job) -> Path:
    """Return the path of the file in which a running job notes the fraction that is done."""
    return folder / f"{job.name}.progress"


def package_versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Look up the version of each package that shapes the events."""
    return {name: importlib.metadata.version(name) for name in packages}


def derive_seed(seed: int, purpose: str, index: int) -> int:
    """Derive a seed that no other purpose shares.

    Args:
        seed: that of the data set.
        purpose: What the seed is for.
        index: Number within the purpose.
    """
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "little")
    sequence = np.random.SeedSequence([seed, word, index])
    return int(sequence.generate_state(1, np.uint64)[0])


def fingerprint(settings: str, versions: Mapping[str, str], module: str) -> str:
    """Hash all that shapes the files of jobs: the name of the folder of reusable ones.

    Other settings, other packages or another source of any module that the workers import never
    reuse shards: half of a data set from before a change and half from after it would go
    unnoticed.

    Args:
        settings: The generator's settings, as JSON.
        versions: Version of each package that shapes the events.
        module: the module that the workers run.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256(settings.encode())
    digest.update(repr(sorted(versions.items())).encode())
    digest.update(closure_sha256([module]).encode())
    return digest.hexdigest()[:16]


def make_job_folder(output: Path, work: Path | None, fingerprint: str) -> Path:
    """Make the folder of jobs' files, which a run that was killed finds again.

    Args:
        output: Folder of the data set.
        work: Folder for ``shards``; ``output`` with ``.work`` appended if None.
        fingerprint: what :func:`fingerprint` returns.
    """
    work = work if work is not None else output.with_name(output.name + ".work")
    folder = work / "shards" / fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_jobs(
    make: Callable[[Any, J, Path], None],
    settings: Any,
    stages: Sequence[Sequence[J]],
    folder: Path,
    executor: Executor,
    progress: Progress | None = None,
) -> None:
    """Make the files of all jobs that are missing.

    Args:
        make: makes the file of a job, given settings, job and folder; can be pickled.
        settings: The generator's settings.
        stages: Jobs by stage; each stage begins when the one before it is complete. The costly
            jobs of a stage are submitted first, so that workers finish together.
        folder: Where the files of all jobs are; the executor's workers must see it.
        executor: Runs the jobs.
        progress: Called about twice a second with the number of events accepted and the work
            done since the last call, and the time left as soon as there is an estimate. The first
            call has what an earlier run left; the next comes when something is done, so that the
            workers' start is in no rate.
    """
    everything = [job for jobs in stages for job in jobs]
    finished = {job for job in everything if job_path(folder, job).exists()}
    reporter = Reporter(everything, finished, partial(_noted_fraction, folder), progress)
    for jobs in stages:
        waiting = sorted(set(jobs) - reporter.finished, key=lambda job: (-job.cost, job.name))
        for job in waiting:
            # a killed run may have left its note
            progress_path(folder, job).unlink(missing_ok=True)
        running: dict[Future[None], J] = {
            executor.submit(make, settings, job, folder): job for job in waiting
        }
        try:
            while running:
                done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    reporter.finished.add(running.pop(future))
                reporter.update(running.values())
        finally:
            for future in running:
                future.cancel()
    reporter.update((), last=True)


def _noted_fraction(folder: Path, job: Job) -> float | None:
    """Read how far a running job is, in [0, 1]; None while it has not begun or has just ended."""
    try:
        return float(progress_path(folder, job).read_text(encoding="ascii") or 0)
    except FileNotFoundError:
        return None


def make_once(folder: Path, job: J, make: Callable[[Path, Callable[[float], None]], None]) -> None:
    """Make the file of a job unless it is there, noting on the way how far it is.

    Args:
        folder: Where the files of all jobs are.
        job: What to make.
        make: writes the file, all or nothing, given its path and a function to call with the
            fraction that is done.
    """
    path, note = job_path(folder, job), progress_path(folder, job)

    def progress(done: float) -> None:
        note.write_text(f"{done:.6f}", encoding="ascii")

    if not path.exists():
        progress(0.0)
        make(path, progress)
    note.unlink(missing_ok=True)
