"""Generate a whole data set: plan the jobs, have them made, assemble the files."""

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, SampleCard, write_card
from l1distill.tasks.anomaly.dataset import BACKGROUND
from l1distill.tasks.anomaly.event_files import write_events
from l1distill.tasks.anomaly.events import PROCESSES, SIGNALS, Events
from l1distill.tasks.anomaly.generator.checks import check
from l1distill.tasks.anomaly.generator.notes import ablation_findings, limitations
from l1distill.tasks.anomaly.generator.plan import (
    Job,
    Shard,
    derive_seed,
    fingerprint,
    plan_shards,
    plan_stocks,
)
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import (
    job_path,
    make_job,
    process_of,
    progress_path,
    read_shard,
)

Progress = Callable[[int, float], None]
"""Called with events accepted and work done since the last call; the work of a whole data set is
:func:`~l1distill.tasks.anomaly.generator.plan.total_cost`."""

_POLL_S = 0.5
_PACKAGES = ("l1distill", "pythia8mc", "fastjet", "awkward", "numpy", "h5py")


def generate(
    settings: GeneratorSettings,
    output: Path,
    executor: Executor,
    progress: Progress | None = None,
    work: Path | None = None,
) -> Card:
    """Generate background and signals into a folder.

    The result depends on the settings alone, not on the executor or the number of its workers.
    Finished shards stay in the work folder: a run that was killed takes them up again and ends
    in the same bytes. The final files appear at the end, each all or nothing.

    Args:
        settings: What to generate.
        output: Folder of the data set; made if need be.
        executor: Runs the jobs; its workers must see the work folder.
        progress: Called about twice a second with the number of events accepted and the work
            done since the last call. The first call comes when something is done, so that the
            workers' start is in no rate, and has what an earlier run left.
        work: Folder for ``shards``; ``output`` with ``.work`` appended if None. The caller may
            remove it afterwards.

    Returns:
        The data card, also written to ``card.json``.
    """
    versions = package_versions()
    work = work if work is not None else output.with_name(output.name + ".work")
    folder = work / "shards" / fingerprint(settings, versions)
    folder.mkdir(parents=True, exist_ok=True)
    shards = plan_shards(settings)
    make_jobs(settings, [plan_stocks(settings), shards], folder, executor, progress)
    output.mkdir(parents=True, exist_ok=True)
    return _assemble(settings, shards, folder, output, versions)


def package_versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Look up the version of each package that shapes the events."""
    return {name: importlib.metadata.version(name) for name in packages}


def make_jobs(
    settings: GeneratorSettings,
    stages: Sequence[Sequence[Job]],
    folder: Path,
    executor: Executor,
    progress: Progress | None = None,
) -> None:
    """Make the files of all jobs that are missing.

    Args:
        settings: The generator's settings.
        stages: Jobs by stage; each stage begins when the one before it is complete. The costly
            jobs of a stage are submitted first, so that workers finish together.
        folder: Where the files of all jobs are.
        executor: Runs the jobs.
        progress: See :func:`generate`.
    """
    finished = {job for jobs in stages for job in jobs if job_path(folder, job).exists()}
    reporter = _Reporter(folder, finished, progress)
    for jobs in stages:
        waiting = sorted(set(jobs) - reporter.finished, key=lambda job: (-job.cost, job.name))
        for job in waiting:
            # a killed run may have left its note
            progress_path(folder, job).unlink(missing_ok=True)
        running: dict[Future[None], Job] = {
            executor.submit(make_job, settings, job, folder): job for job in waiting
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


class _Reporter:
    """Report the progress of jobs as differences, which are never negative.

    Args:
        folder: Where the files of all jobs are.
        finished: Jobs that an earlier run finished.
        progress: Told what is done, see :func:`generate`.
    """

    def __init__(self, folder: Path, finished: set[Job], progress: Progress | None) -> None:
        self.finished = finished
        self._folder = folder
        self._progress = progress
        self._jobs_of_earlier_run = len(finished)
        self._begun = False
        self._events = 0
        self._work = 0.0

    def update(self, running: Iterable[Job], last: bool = False) -> None:
        """Report what is done since the last call, of finished and of running jobs.

        Args:
            running: Jobs whose notes are read.
            last: Report also if nothing was done.
        """
        if self._progress is None:
            return
        noted = {job: _noted_fraction(self._folder, job) for job in running}
        self._begun |= len(self.finished) > self._jobs_of_earlier_run or any(noted.values())
        if not self._begun and not last:
            return
        fractions = dict.fromkeys(self.finished, 1.0) | noted
        events = sum(int(share * job.events) for job, share in fractions.items())
        work = sum(share * job.cost for job, share in fractions.items())
        # a worker that was killed starts its job again from nothing
        events, work = max(events, self._events), max(work, self._work)
        self._progress(events - self._events, work - self._work)
        self._events, self._work = events, work


def _noted_fraction(folder: Path, job: Job) -> float:
    """Read how far a running job is, in [0, 1]; 0 while it has not begun or has just ended."""
    try:
        return float(progress_path(folder, job).read_text(encoding="ascii") or 0)
    except FileNotFoundError:
        return 0.0


def _assemble(
    settings: GeneratorSettings,
    shards: Sequence[Shard],
    folder: Path,
    output: Path,
    versions: dict[str, str],
) -> Card:
    parts: dict[str, NDArray[np.float32]] = {}
    samples: dict[str, SampleCard] = {}
    for sample in PROCESSES + SIGNALS:
        made = [read_shard(folder, shard) for shard in shards if shard.sample == sample]
        if not made:
            continue
        parts[sample] = np.concatenate([content.objects for content in made])
        masses = np.concatenate([content.truth_mass for content in made])
        tried = sum(int(content.tried) for content in made)
        passed = sum(int(content.passed) for content in made)
        samples[sample] = SampleCard(
            events=len(parts[sample]),
            tried=tried,
            acceptance=passed / tried,
            settings=list(process_of(sample, settings).commands),
            truth_mass=float(np.nanmean(masses)) if np.isfinite(masses).any() else None,
        )

    present = [name for name in PROCESSES if name in parts]
    objects = np.concatenate([parts[name] for name in present])
    process = np.repeat(
        np.array([PROCESSES.index(name) for name in present], dtype=np.int8),
        [len(parts[name]) for name in present],
    )
    order = np.random.default_rng(derive_seed(settings, "shuffle", 0)).permutation(len(objects))
    background = Events(objects=objects[order], process=process[order])
    contents = {BACKGROUND: background, **{name: Events(objects=parts[name]) for name in SIGNALS}}
    ablations, findings = ablation_findings(settings)
    card = Card(
        dataset="anomaly",
        settings=settings.model_dump(mode="json"),
        versions=versions,
        files={name: _write(output / f"{name}.h5", events) for name, events in contents.items()},
        samples=samples,
        checks=check(background),
        missing=limitations(),
        ablations=ablations,
        findings=findings,
    )
    write_card(output, card)
    return card


def _write(path: Path, events: Events) -> FileCard:
    return FileCard(**write_events(path, events), sha256=file_sha256(path))
