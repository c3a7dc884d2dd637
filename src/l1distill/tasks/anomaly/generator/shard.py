"""What a worker does: make one pool, library or shard and leave it as a file.

The functions are top-level and take picklable arguments, so that any ``Executor`` can run them.
A file under its final name is complete; a worker killed half-way leaves only a temporary file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import FloatArray
from l1distill.simulation.decays import DecayLibrary, build_library, redecay
from l1distill.simulation.hard import generate_hard
from l1distill.simulation.jobs import job_path, make_once
from l1distill.simulation.pool import Pool, build_pool
from l1distill.simulation.pythia import MINIMUM_BIAS, UNDERLYING_EVENT, Process
from l1distill.simulation.storage import load_record, save_record
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.generator.plan import Job, Shard, Stock, plan_stocks
from l1distill.tasks.anomaly.generator.processes import COLLISION_ENERGY, SAMPLES
from l1distill.tasks.anomaly.generator.reconstruct import reconstruct
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

_POOL_COMMANDS = {"pileup": MINIMUM_BIAS, "underlying": UNDERLYING_EVENT}


@dataclass(frozen=True, kw_only=True)
class ShardContent:
    """What a shard's file holds.

    Attributes:
        objects: (n, 19, 3) float32, pT [GeV], eta, phi [rad].
        truth_mass: (n,) mass of the resonance from generator truth [GeV], or NaN.
        tried: () hard scatters generated.
        passed: () of which accepted, at least n.
    """

    objects: NDArray[np.float32]
    truth_mass: FloatArray
    tried: NDArray[np.int64]
    passed: NDArray[np.int64]


def make_job(settings: GeneratorSettings, job: Job, folder: Path) -> None:
    """Make a stock or shard unless its file is there; a shard needs the stocks.

    Args:
        settings: The generator's settings.
        job: What to make.
        folder: Where the files of all jobs are.
    """

    def make(path: Path, progress: Callable[[float], None]) -> None:
        if isinstance(job, Stock):
            save_record(path, _make_stock(job, progress))
        else:
            save_record(path, _make_shard(settings, job, folder, progress))

    make_once(folder, job, make)


def read_shard(folder: Path, shard: Shard) -> ShardContent:
    """Read a finished shard."""
    return load_record(job_path(folder, shard), ShardContent)


def process_of(sample: str, settings: GeneratorSettings) -> Process:
    """Return the PYTHIA process of a sample, with or without multi-parton interactions."""
    process = SAMPLES[sample].process
    return process if settings.mpi == "full" else process.without_mpi()


def _make_stock(stock: Stock, progress: Callable[[float], None]) -> Pool | DecayLibrary:
    if stock.stock == "decays":
        return build_library(
            stock.size, collision_energy=COLLISION_ENERGY, seed=stock.seed, progress=progress
        )
    return build_pool(
        _POOL_COMMANDS[stock.stock],
        stock.size,
        collision_energy=COLLISION_ENERGY,
        seed=stock.seed,
        progress=progress,
    )


@lru_cache(maxsize=2)
def _load_pool(path: Path) -> Pool:
    """Read a pool; a worker process reads each one once."""
    return load_record(path, Pool)


def _make_shard(
    settings: GeneratorSettings, shard: Shard, folder: Path, progress: Callable[[float], None]
) -> ShardContent:
    stocks = {stock.stock: job_path(folder, stock) for stock in plan_stocks(settings)}
    sample = SAMPLES[shard.sample]
    sequence = np.random.SeedSequence(shard.seed)
    rng = np.random.default_rng(sequence)
    pythia_seed = int(sequence.generate_state(1, np.uint64)[0])
    pileup = _load_pool(stocks["pileup"])
    underlying = _load_pool(stocks["underlying"]) if "underlying" in stocks else None
    library = None
    if sample.leptons_from == "heavy":
        library = load_record(stocks["decays"], DecayLibrary)
    lepton_pt_min = settings.filter.lepton_pt_min
    stream = generate_hard(
        process_of(shard.sample, settings),
        collision_energy=COLLISION_ENERGY,
        seed=pythia_seed,
        veto=sample.veto(lepton_pt_min),
        # small shards fetch small batches, so as not to make many events too many
        batch=int(np.clip(2 * shard.events * sample.cost, 20, 250)),
    )
    objects, masses = [np.zeros((0, N_OBJECTS, 3), dtype=np.float32)], [np.zeros(0)]
    tried = passed = 0
    while passed < shard.events:
        hard = next(stream)
        if library is not None:
            hard = redecay(hard, library, lepton_pt_min, rng)
        batch_objects, numbers = reconstruct(hard, settings, pileup, underlying, rng)
        objects.append(batch_objects)
        masses.append(hard.truth_mass[numbers])
        tried += hard.tried
        passed += len(numbers)
        progress(min(passed / shard.events, 1.0))
    return ShardContent(
        objects=np.concatenate(objects)[: shard.events],
        truth_mass=np.concatenate(masses)[: shard.events],
        tried=np.array(tried),
        passed=np.array(passed),
    )
