"""Stable particles of many events in flat arrays, as the detector simulation takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import BoolArray, Columns, FloatArray, IntArray
from l1distill.simulation.kinematics import pseudorapidity

ELECTRON = 11
MUON = 13
PHOTON = 22
_NEUTRINOS = (12, 14, 16)
_CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
_CODES = 6000  # every stable particle's |PDG code| lies below, and that of b and c hadrons

_CHARGED = np.zeros(_CODES, dtype=bool)
_CHARGED[[ELECTRON, MUON, *_CHARGED_HADRONS]] = True
_CHARGE_OF_POSITIVE_CODE = np.where(_CHARGED, 1, 0)
_CHARGE_OF_POSITIVE_CODE[[ELECTRON, MUON, 3112, 3312, 3334]] = -1
_INVISIBLE = np.zeros(_CODES, dtype=bool)
_INVISIBLE[list(_NEUTRINOS)] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Particles(Columns):
    """Visible stable particles of a batch of events, sorted by event.

    Attributes:
        event: (n,) int64, index of the event in the batch.
        code: (n,) int64, absolute PDG code.
        pt: (n,) [GeV].
        eta: (n,) pseudorapidity.
        phi: (n,) [rad], in (-pi, pi].
        energy: (n,) [GeV].
    """

    code: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    energy: FloatArray

    @property
    def charged(self) -> BoolArray:
        """(n,) whether the tracker sees the particle."""
        return _CHARGED[self.code]


def is_visible(code: int) -> bool:
    """Return whether a stable particle of an absolute PDG code leaves a signal in the detector."""
    return code < _CODES and not _INVISIBLE[code]


def particles_of_batch(batch: Any, eta_max: float = 5.2) -> Particles:
    """Flatten what ``Pythia.nextBatch`` returns: visible, stable, within the calorimeters.

    Args:
        batch: Awkward array with PYTHIA's particle record ``prt``.
        eta_max: Particles beyond this abs(eta) are lost in the beam pipe.

    Returns:
        The particles, in PYTHIA's order.
    """
    particles, stable = _stable_particles(batch)
    del stable
    return particles.take(np.abs(particles.eta) < eta_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplacedParticles(Particles):
    """Particles with the place where they were produced.

    Attributes:
        x: (n,) transverse position of the production vertex [mm].
        y: (n,) likewise [mm].
    """

    x: FloatArray
    y: FloatArray


def displaced_particles_of_batch(batch: Any, eta_max: float = 5.2) -> DisplacedParticles:
    """Flatten a batch as :func:`particles_of_batch` does, with production vertices."""
    particles, stable = _stable_particles(batch)
    x, y = _production(batch, stable, ("px", "py"))
    displaced = DisplacedParticles.of(particles, x=x, y=y)
    return displaced.take(np.abs(particles.eta) < eta_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexParticles(DisplacedParticles):
    """Particles with charge and the full place where they were produced.

    Attributes:
        charge: (n,) int64, -1, 0 or 1.
        z: (n,) position of the production vertex along the beam [mm].
    """

    charge: IntArray
    z: FloatArray


def vertex_particles_of_batch(batch: Any, eta_max: float) -> VertexParticles:
    """Flatten a batch as :func:`particles_of_batch` does, with charges and production vertices."""
    import awkward as ak

    particles, stable = _stable_particles(batch)
    x, y, z = _production(batch, stable, ("px", "py", "pz"))
    sign = np.sign(ak.to_numpy(ak.flatten(batch.prt.id))[stable])
    charge = sign * _CHARGE_OF_POSITIVE_CODE[particles.code]
    vertices = VertexParticles.of(particles, x=x, y=y, z=z, charge=charge)
    return vertices.take(np.abs(particles.eta) < eta_max)


def _production(batch: Any, stable: BoolArray, components: Sequence[str]) -> list[FloatArray]:
    """Return components of the production vertices of particles [mm]."""
    import awkward as ak

    vertex = batch.prt.vProd
    return [ak.to_numpy(ak.fill_none(ak.flatten(vertex[name]), 0.0))[stable] for name in components]


def _stable_particles(batch: Any) -> tuple[Particles, BoolArray]:
    """Return visible stable particles, and which entries of the flat record they are."""
    import awkward as ak

    record = batch.prt
    counts = ak.to_numpy(ak.num(record.status))
    event = np.repeat(np.arange(len(counts)), counts)

    def flat(field: Any) -> NDArray[Any]:
        flattened: NDArray[Any] = ak.to_numpy(ak.flatten(field))
        return flattened

    code = np.abs(flat(record.id))
    stable = (flat(record.status) > 0) & (code < _CODES)
    stable[stable] &= ~_INVISIBLE[code[stable]]
    px, py, pz, energy = (flat(record.p[name])[stable] for name in ("px", "py", "pz", "e"))
    pt = np.hypot(px, py)
    particles = Particles(
        event=event[stable],
        code=code[stable].astype(np.int64),
        pt=pt,
        eta=pseudorapidity(pt, pz),
        phi=np.arctan2(py, px),
        energy=energy,
    )
    return particles, stable
