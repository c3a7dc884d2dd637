"""Pools of whole collisions, particle by particle, before any detector.

A pool of :mod:`.pool` holds what the tracker leaves of a collision. Here the detector comes after
the overlay, so that it sees the particles of all collisions at once, each with its charge and its
production vertex.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import FloatArray, IntArray
from l1distill.simulation.kinematics import wrap_phi
from l1distill.simulation.particles import VertexParticles, vertex_particles_of_batch
from l1distill.simulation.pool import Draw
from l1distill.simulation.pythia import build_pythia, generate_batches
from l1distill.simulation.ragged import rows_of_entries

_COLUMNS = ("pt", "eta", "phi", "energy", "x", "y", "z")


@dataclass(frozen=True, kw_only=True)
class ParticlePool:
    """Collisions, flat; entry i owns rows ``first[i]`` to ``first[i + 1]``.

    Attributes:
        first: (n + 1,) first particle of each entry.
        code: (p,) int16, absolute PDG code.
        charge: (p,) int8.
        numbers: (p, 7) float32: pT [GeV], eta, phi [rad], energy [GeV], and x, y, z of the
            production vertex [mm], relative to the collision.
    """

    first: IntArray
    code: NDArray[np.int16]
    charge: NDArray[np.int8]
    numbers: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Number of collisions."""
        return len(self.first) - 1


def build_particle_pool(
    commands: tuple[str, ...],
    size: int,
    *,
    collision_energy: float,
    seed: int,
    eta_max: float,
    progress: Callable[[float], None] | None = None,
) -> ParticlePool:
    """Simulate a pool's collisions with PYTHIA.

    Args:
        commands: PYTHIA settings of the collisions, such as
            :data:`~l1distill.simulation.pythia.MINIMUM_BIAS`.
        size: Number of collisions.
        collision_energy: Energy of the collision [GeV].
        seed: Seed of PYTHIA.
        eta_max: Particles beyond this abs(eta) are left out.
        progress: Called with the fraction done, in (0, 1], after each batch.
    """
    pythia = build_pythia(commands, collision_energy=collision_energy, seed=seed)
    counts, codes, charges, numbers = [], [], [], []
    for batch in generate_batches(pythia, size, progress):
        particles = vertex_particles_of_batch(batch, eta_max)
        counts.append(np.bincount(particles.event, minlength=len(batch)))
        codes.append(particles.code.astype(np.int16))
        charges.append(particles.charge.astype(np.int8))
        columns = [getattr(particles, name) for name in _COLUMNS]
        numbers.append(np.stack(columns, axis=1).astype(np.float32))
    return ParticlePool(
        first=np.concatenate([[0], np.cumsum(np.concatenate(counts))]),
        code=np.concatenate(codes),
        charge=np.concatenate(charges),
        numbers=np.concatenate(numbers),
    )


def overlay_particles(pool: ParticlePool, drawn: Draw, z: FloatArray) -> VertexParticles:
    """Collect the particles of the entries drawn, turned, mirrored and moved along the beam.

    Args:
        pool: Where the entries are from.
        drawn: Which entries, on which events.
        z: (n,) position of each drawn collision along the beam [mm].

    Returns:
        The particles, sorted by event.
    """
    row, owner = rows_of_entries(pool.first, drawn.entry)
    pt, eta, phi, energy, x, y, along = pool.numbers[row].astype(np.float64).T
    mirror = np.where(drawn.mirror, -1.0, 1.0)[owner]
    angle = drawn.angle[owner]
    cosine, sine = np.cos(angle), np.sin(angle)
    return VertexParticles(
        event=drawn.event[owner],
        code=pool.code[row].astype(np.int64),
        pt=pt,
        eta=mirror * eta,
        phi=wrap_phi(phi + angle),
        energy=energy,
        x=cosine * x - sine * y,
        y=sine * x + cosine * y,
        charge=pool.charge[row].astype(np.int64),
        z=mirror * along + z[owner],
    )
