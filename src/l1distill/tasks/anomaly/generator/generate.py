"""Generate a whole data set: plan the jobs, have them made, assemble the files."""

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, SampleCard, write_card
from l1distill.simulation.jobs import Progress, make_job_folder, package_versions, run_jobs
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
from l1distill.tasks.anomaly.generator.shard import make_job, process_of, read_shard


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
    folder = make_job_folder(output, work, fingerprint(settings, versions))
    shards = plan_shards(settings)
    make_jobs(settings, [plan_stocks(settings), shards], folder, executor, progress)
    output.mkdir(parents=True, exist_ok=True)
    return _assemble(settings, shards, folder, output, versions)


def make_jobs(
    settings: GeneratorSettings,
    stages: Sequence[Sequence[Job]],
    folder: Path,
    executor: Executor,
    progress: Progress | None = None,
) -> None:
    """Make the files of all jobs that are missing; see :func:`.jobs.run_jobs`."""
    run_jobs(make_job, settings, stages, folder, executor, progress)


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
