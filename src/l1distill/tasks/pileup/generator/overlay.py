"""Overlay pileup on hard collisions, particle by particle, and reconstruct the events."""

from dataclasses import replace

import numpy as np

from l1distill.simulation.columns import IntArray
from l1distill.simulation.kinematics import transverse_momentum
from l1distill.simulation.particle_pool import ParticlePool, overlay_particles
from l1distill.simulation.particles import VertexParticles
from l1distill.simulation.phase2 import Candidates, cluster_cells, track
from l1distill.simulation.pool import draw
from l1distill.tasks.pileup.events import (
    Events,
    Generated,
    RecordedCandidates,
    WithoutPileup,
    ids_of,
)
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.puppi import puppi_weights


def overlay(
    hard: VertexParticles,
    n_events: int,
    pool: ParticlePool,
    settings: GeneratorSettings,
    rng: np.random.Generator,
) -> Events:
    """Overlay pileup on hard collisions and reconstruct the events with and without it.

    Tracks of the hard collision are the same in both; calorimeter cells are not, since deposits
    of both merge.

    Args:
        hard: Particles of the hard collisions, relative to their vertices.
        n_events: Number of events.
        pool: Where pileup is drawn from.
        settings: Pileup, beam spot, detector, PUPPI.
        rng: Source of randomness.
    """
    counts = rng.poisson(settings.pileup, n_events)
    drawn = draw(pool, counts, rng)
    hard_z = settings.beam_spot_mm * rng.standard_normal(n_events)
    placed = replace(hard, z=hard.z + hard_z[hard.event])
    z = settings.beam_spot_mm * rng.standard_normal(len(drawn.event))
    everything = VertexParticles.concatenate([placed, overlay_particles(pool, drawn, z)])
    is_hard = np.arange(len(everything.event)) < len(placed.event)

    tracked = track(everything, is_hard, hard_z, settings.detector, rng)
    missed = everything.take(tracked.missed)
    missed_hard = is_hard[tracked.missed]
    clusters = cluster_cells(missed, missed_hard, n_events, settings.detector, rng)
    alone = cluster_cells(
        missed.take(missed_hard), missed_hard[missed_hard], n_events, settings.detector, rng
    )
    own_tracks = tracked.tracks.take(tracked.tracks.hard_fraction > 0)
    without = Candidates.merge(own_tracks, alone)
    generated = hard.take(np.abs(hard.eta) < settings.detector.eta_max)
    px, py = transverse_momentum(generated.pt, generated.phi)
    numbers = np.stack(
        [
            counts,
            np.bincount(generated.event, px, minlength=n_events),
            np.bincount(generated.event, py, minlength=n_events),
        ],
        axis=1,
    )
    return Events(
        numbers=numbers.astype(np.float32),
        particles=_record(Candidates.merge(tracked.tracks, clusters), counts, settings),
        without_pileup=WithoutPileup.of(without, id=ids_of(without.code)),
        generated=Generated.of(generated),
    )


def _record(
    candidates: Candidates, pileup: IntArray, settings: GeneratorSettings
) -> RecordedCandidates:
    charged = candidates.charge != 0
    weights = puppi_weights(
        candidates,
        charged=charged,
        from_vertex=np.abs(candidates.dz) < settings.puppi.vertex_window_mm,
        pileup=pileup,
        settings=settings.puppi,
    )
    return RecordedCandidates.of(candidates, id=ids_of(candidates.code), puppi=weights)
