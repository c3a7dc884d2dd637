"""What a worker does: make one pool, library or shard and leave it as a file.

The functions are top-level and take picklable arguments, so that any ``Executor`` can run them.
A file under its final name is complete; a worker killed half-way leaves only a temporary file.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.decays import DecayLibrary, build_library, redecay
from l1distill.simulation.hard import generate_hard
from l1distill.simulation.particles import FloatArray
from l1distill.simulation.pool import Kind, Pool, build_pool
from l1distill.simulation.storage import load_record, save_record
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.generator.plan import Shard, derive_seed
from l1distill.tasks.anomaly.generator.processes import SAMPLES
from l1distill.tasks.anomaly.generator.reconstruct import reconstruct
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings

Stock = Kind | Literal["decays"]


class ShardContent(NamedTuple):
    """What a shard's file holds.

    Attributes:
        objects: (n, 19, 3) float32.
        truth_mass: (n,) mass of the resonance from generator truth [GeV], or NaN.
        tried: () hard scatters generated.
        passed: () of which accepted, at least n.
    """

    objects: NDArray[np.float32]
    truth_mass: FloatArray
    tried: NDArray[np.int64]
    passed: NDArray[np.int64]


def stock_path(folder: Path, kind: Stock) -> Path:
    """Names the file of a pool or of the decay library."""
    return folder / f"stock-{kind}.npz"


def shard_path(folder: Path, shard: Shard) -> Path:
    """Names a shard's file."""
    return folder / f"{shard.name}.npz"


def progress_path(folder: Path, shard: Shard) -> Path:
    """Names the file in which a running shard notes how far it is."""
    return folder / f"{shard.name}.progress"


def stocks(settings: GeneratorSettings) -> list[Stock]:
    """Lists what has to be made before any shard."""
    kinds: list[Stock] = ["pileup", "decays"]
    return [*kinds, "underlying"] if settings.mpi == "overlay" else kinds


def make_stock(settings: GeneratorSettings, kind: Stock, folder: Path) -> None:
    """Makes a pool or the decay library unless its file is there."""
    path = stock_path(folder, kind)
    if path.exists():
        return
    seed = derive_seed(settings, f"stock-{kind}", 0)
    if kind == "decays":
        save_record(path, build_library(settings.pool_size, seed))
    else:
        # what little an underlying event shows is seldom recognized: half as many will do
        size = settings.pool_size if kind == "pileup" else max(settings.pool_size // 2, 10)
        save_record(path, build_pool(kind, size, seed))


def make_shard(settings: GeneratorSettings, shard: Shard, folder: Path) -> None:
    """Makes a shard unless its file is there."""
    path = shard_path(folder, shard)
    if not path.exists():
        save_record(path, _generate(settings, shard, folder))
    progress_path(folder, shard).unlink(missing_ok=True)


def read_shard(folder: Path, shard: Shard) -> ShardContent:
    """Reads a finished shard."""
    return load_record(shard_path(folder, shard), ShardContent)


@lru_cache(maxsize=2)
def _load_pool(path: Path) -> Pool:
    """Reads a pool; a worker process reads each one once."""
    return load_record(path, Pool)


def _generate(settings: GeneratorSettings, shard: Shard, folder: Path) -> ShardContent:
    sequence = np.random.SeedSequence(shard.seed)
    rng = np.random.default_rng(sequence)
    pythia_seed = int(sequence.generate_state(1, np.uint64)[0])
    pileup = _load_pool(stock_path(folder, "pileup"))
    underlying = None
    if settings.mpi == "overlay":
        underlying = _load_pool(stock_path(folder, "underlying"))
    lepton_pt_min = min(settings.filter.electron_pt_min, settings.filter.muon_pt_min)
    heavy = SAMPLES[shard.sample].source == "heavy"
    library = load_record(stock_path(folder, "decays"), DecayLibrary) if heavy else None
    # small shards fetch small batches, so as not to make many events too many
    batch = int(np.clip(2 * shard.events * SAMPLES[shard.sample].cost, 20, 250))
    stream = generate_hard(shard.sample, pythia_seed, settings.mpi == "full", lepton_pt_min, batch)
    objects, masses = [np.zeros((0, N_OBJECTS, 3), dtype=np.float32)], [np.zeros(0)]
    tried = passed = 0
    note = progress_path(folder, shard)
    while passed < shard.events:
        hard = next(stream)
        if library is not None:
            hard = redecay(hard, library, lepton_pt_min, rng)
        batch_objects, numbers = reconstruct(hard, settings, pileup, underlying, rng)
        objects.append(batch_objects)
        masses.append(hard.truth_mass[numbers])
        tried += hard.tried
        passed += len(numbers)
        note.write_text(str(min(passed, shard.events)), encoding="ascii")
    return ShardContent(
        np.concatenate(objects)[: shard.events],
        np.concatenate(masses)[: shard.events],
        np.array(tried),
        np.array(passed),
    )
