"""What a worker does: make the pool or one shard of events and leave it as a file."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from l1distill.core.workspace import write_arrays
from l1distill.simulation.hard import generate_records
from l1distill.simulation.jobs import job_path, make_once
from l1distill.simulation.particle_pool import ParticlePool, build_particle_pool
from l1distill.simulation.particles import vertex_particles_of_batch
from l1distill.simulation.pythia import MINIMUM_BIAS
from l1distill.simulation.storage import load_record, save_record
from l1distill.tasks.pileup.event_files import pack, unpack
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.overlay import overlay
from l1distill.tasks.pileup.generator.plan import (
    COLLISION_ENERGY,
    Job,
    PoolJob,
    Shard,
    plan_pool,
    process_of,
)
from l1distill.tasks.pileup.generator.settings import GeneratorSettings

_BATCH = 10  # 0.2 million particles with 140 pileup collisions: tens of MB of scratch memory


def make_job(settings: GeneratorSettings, job: Job, folder: Path) -> None:
    """Make the pool or a shard unless its file is there; a shard needs the pool.

    Args:
        settings: The generator's settings.
        job: What to make.
        folder: Where the files of all jobs are.
    """

    def make(path: Path, progress: Callable[[float], None]) -> None:
        if isinstance(job, PoolJob):
            pool = build_particle_pool(
                MINIMUM_BIAS,
                job.size,
                collision_energy=COLLISION_ENERGY,
                seed=job.seed,
                eta_max=settings.detector.eta_max,
                progress=progress,
            )
            save_record(path, pool)
        else:
            pool = _load_pool(job_path(folder, plan_pool(settings)))
            write_arrays(path, pack(_make_shard(settings, job, pool, progress)))

    make_once(folder, job, make)


def read_shard(folder: Path, shard: Shard) -> Events:
    """Read a finished shard."""
    with np.load(job_path(folder, shard)) as file:
        return unpack(dict(file))


@lru_cache(maxsize=1)
def _load_pool(path: Path) -> ParticlePool:
    """Read the pool; a worker process reads it once."""
    return load_record(path, ParticlePool)


def _make_shard(
    settings: GeneratorSettings,
    shard: Shard,
    pool: ParticlePool,
    progress: Callable[[float], None],
) -> Events:
    sequence = np.random.SeedSequence(shard.seed)
    rng = np.random.default_rng(sequence)
    stream = generate_records(
        process_of(shard.sample, settings),
        collision_energy=COLLISION_ENERGY,
        seed=int(sequence.generate_state(1, np.uint64)[0]),
        batch=min(_BATCH, shard.events),
    )
    parts: list[Events] = []
    done = 0
    while done < shard.events:
        record, _ = next(stream)
        record = record[: shard.events - done]
        hard = vertex_particles_of_batch(record, settings.detector.eta_max)
        parts.append(overlay(hard, len(record), pool, settings, rng))
        done += len(record)
        progress(done / shard.events)
    return Events.concatenate(parts)
