"""Generate a whole data set of events with pileup: plan, have the shards made, assemble."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, SampleCard, write_card
from l1distill.data.splits import Split, assign
from l1distill.simulation.jobs import Progress, make_job_folder, package_versions, run_jobs
from l1distill.tasks.pileup.event_files import write_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.plan import (
    SAMPLES,
    Shard,
    fingerprint,
    plan_pool,
    plan_shards,
    process_of,
)
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.generator.shard import make_job, read_shard

_FRACTIONS = {Split.TRAIN: 0.8, Split.TEST: 0.1, Split.VALIDATION: 0.1}
"""Of W + jets events; tests are made with the other sample."""
_LIMITATIONS = (
    "Leading order only: no matching to matrix elements with more jets.",
    "Particles fly straight: charged ones do not bend on their way to the calorimeters.",
    "Clusters are seen from the center of the detector, wherever their collision is.",
    "Particle ids of tracks are true ones, as in Delphes; no detector tells pions, kaons and "
    "protons apart at all momenta.",
    "The hard collision's vertex is always found, at its true place; there are no fake tracks, "
    "and no timing.",
    "Resolutions of tracks are Gaussian; photons do not convert, and nothing radiates or showers "
    "in the tracker.",
    "All collisions are of the same bunch crossing: no energy is left over from earlier ones.",
)


def generate(
    settings: GeneratorSettings,
    output: Path,
    executor: Executor,
    progress: Progress | None = None,
    work: Path | None = None,
) -> Card:
    """Generate events to train on and to test with into a folder.

    The result depends on the settings alone, not on the executor or the number of its workers.
    Finished shards stay in the work folder: a run that was killed takes them up again and ends in
    the same bytes.

    Args:
        settings: What to generate.
        output: Folder of the data set; made if need be.
        executor: Runs the jobs; its workers must see the work folder.
        progress: see :func:`.jobs.run_jobs`.
        work: Folder for ``shards``; ``output`` with ``.work`` appended if None.

    Returns:
        The data card without checks, also written to ``card.json``.
    """
    versions = package_versions()
    folder = make_job_folder(output, work, fingerprint(settings, versions))
    shards = plan_shards(settings)
    run_jobs(make_job, settings, [[plan_pool(settings)], shards], folder, executor, progress)
    output.mkdir(parents=True, exist_ok=True)
    files, samples = {}, {}
    for sample in SAMPLES:
        own = [shard for shard in shards if shard.sample == sample]
        files[sample] = _assemble(folder, own, output / f"{sample}.h5")
        samples[sample] = SampleCard(
            events=files[sample].events,
            tried=files[sample].events,
            acceptance=1.0,
            settings=list(process_of(sample, settings).commands),
            truth_mass=None,
        )
    card = Card(
        dataset="pileup",
        settings=settings.model_dump(mode="json"),
        versions=versions,
        files=files,
        samples=samples,
        checks={},
        missing=list(_LIMITATIONS),
    )
    write_card(output, card)
    return card


def _assemble(folder: Path, shards: Sequence[Shard], path: Path) -> FileCard:
    """Write the shards of a sample as one file, in the order train, test, validation."""
    split: list[NDArray[np.int8]] = [
        assign(read_shard(folder, shard).numbers, _FRACTIONS) for shard in shards
    ]

    def batches() -> Iterator[Events]:
        for part in Split:
            for shard, of_event in zip(shards, split, strict=True):
                if (of_event == part).any():
                    yield read_shard(folder, shard).select(of_event == part)

    write_events(path, batches())
    together = np.concatenate(split)
    counts = {part.name.lower(): int((together == part).sum()) for part in Split}
    return FileCard(**counts, sha256=file_sha256(path))
