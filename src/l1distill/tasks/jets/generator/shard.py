"""What a worker does: make one shard of jets and leave it as a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.hard import generate_records
from l1distill.simulation.jobs import job_path, make_once
from l1distill.simulation.particles import displaced_particles_of_batch
from l1distill.simulation.storage import load_record, save_record
from l1distill.tasks.jets.features import NAMES
from l1distill.tasks.jets.generator.energy_scale import LARGEST, calibrate
from l1distill.tasks.jets.generator.flow import find_jets, measure_flow
from l1distill.tasks.jets.generator.particle_jets import compare
from l1distill.tasks.jets.generator.plan import COLLISION_ENERGY, SIGNAL, Shard, process_of
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.generator.substructure import describe_jets
from l1distill.tasks.jets.generator.truth import collimation_veto, count_within, read_truth

_BATCH = 200
_HADRON_RADIUS = 0.9


@dataclass(frozen=True, kw_only=True)
class ShardContent:
    """What a shard's file holds.

    Attributes:
        jets: (n, 102) float32, in the order of :data:`.features.NAMES`.
        b_hadrons: (n,) int8, weakly decaying b hadrons within 0.9 of the axis.
        event: (n,) int64, the collision of each jet, from 0 on.
        compared: (m, 5) float32, see :func:`.particle_jets.compare`, of the first collisions.
        tried: () hard scatters generated.
        passed: () jets found in them, at least n.
    """

    jets: NDArray[np.float32]
    b_hadrons: NDArray[np.int8]
    event: NDArray[np.int64]
    compared: NDArray[np.float32]
    tried: NDArray[np.int64]
    passed: NDArray[np.int64]


def make_job(settings: GeneratorSettings, shard: Shard, folder: Path) -> None:
    """Make a shard unless its file is there."""

    def make(path: Path, progress: Callable[[float], None]) -> None:
        save_record(path, _make_shard(settings, shard, progress))

    make_once(folder, shard, make)


def read_shard(folder: Path, shard: Shard) -> ShardContent:
    """Read a finished shard."""
    return load_record(job_path(folder, shard), ShardContent)


def _make_shard(
    settings: GeneratorSettings, shard: Shard, progress: Callable[[float], None]
) -> ShardContent:
    sequence = np.random.SeedSequence(shard.seed)
    rng = np.random.default_rng(sequence)
    signal = shard.sample == SIGNAL
    stream = generate_records(
        process_of(shard.sample, settings),
        collision_energy=COLLISION_ENERGY,
        seed=int(sequence.generate_state(1, np.uint64)[0]),
        hook=collimation_veto() if signal else None,
        batch=min(_BATCH, max(20, shard.events)),
    )
    jets, hadrons, events, compared = [], [], [], None
    tried = passed = read = 0
    while passed < shard.events:
        record, more = next(stream)
        truth = read_truth(record)
        flow = measure_flow(displaced_particles_of_batch(record), len(record), rng)
        found = calibrate(
            find_jets(
                flow,
                len(record),
                settings.jet_radius,
                settings.jet_pt_min / LARGEST,
                settings.jet_eta_max,
            )
        )
        found = found.take(found.pt > settings.jet_pt_min)
        if signal:
            near = count_within(found.event, found.eta, found.phi, truth.quarks, settings.b_radius)
            found = found.take(near == 2)
        jets.append(describe_jets(flow, found, settings.jet_radius))
        events.append(read + found.event)
        if compared is None:  # costs as much as the rest of the simulation
            masses = jets[0][:, NAMES.index("softdrop_mass")]
            compared = compare(record, found, masses, settings.jet_radius)
        hadrons.append(
            count_within(found.event, found.eta, found.phi, truth.hadrons, _HADRON_RADIUS)
        )
        read, tried, passed = read + len(record), tried + more, passed + len(found.event)
        progress(min(passed / shard.events, 1.0))
    assert compared is not None
    return ShardContent(
        jets=np.concatenate(jets)[: shard.events],
        b_hadrons=np.concatenate(hadrons)[: shard.events].astype(np.int8),
        event=np.concatenate(events)[: shard.events],
        compared=compared,
        tried=np.array(tried),
        passed=np.array(passed),
    )
