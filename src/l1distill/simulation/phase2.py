"""A detector like those of the HL-LHC: tracks up to abs(eta) 4, fine-grained calorimeters.

Angular and momentum dependence follow the technical design reports of the CMS upgrades (tracker
CMS-TDR-014, endcap calorimeter CMS-TDR-019, barrel calorimeters CMS-TDR-015); constants are
rounded. A tracked particle leaves no calorimeter energy of its own, as in particle flow.
"""

from dataclasses import dataclass

import numpy as np

from l1distill.simulation.columns import BoolArray, DetectorObjects, FloatArray, IntArray
from l1distill.simulation.kinematics import wrap_phi
from l1distill.simulation.particles import ELECTRON, MUON, PHOTON, VertexParticles
from l1distill.simulation.settings import Phase2Settings

_BARREL_ETA = 1.5
_ECAL_SHARE = {PHOTON: 1.0, ELECTRON: 1.0, 310: 0.3, 3122: 0.3}
_ETA_STEPS = (1.0, 2.0, 3.0)  # |eta| where the tracker's constants change
_PT_CONSTANT = np.array([0.007, 0.010, 0.020, 0.040])
_PT_SLOPE = np.array([1.0e-4, 1.5e-4, 3.0e-4, 6.0e-4])  # [1 / GeV]
_D0 = (0.010, 0.060)  # [mm], [mm GeV]
_DZ = (0.015, 0.030)  # [mm], [mm GeV]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates(DetectorObjects):
    """Reconstructed particles: tracks and calorimeter clusters.

    Attributes:
        energy: (n,) [GeV].
        code: (n,) absolute PDG code of a track's particle, 22 for an electromagnetic cluster, 0
            for a hadronic one.
        charge: (n,) -1, 0 or 1.
        d0: (n,) transverse impact parameter, its sign that of the displacement along
            (-sin phi, cos phi); 0 for a cluster [mm].
        dz: (n,) distance along the beam from the hard collision; 0 for a cluster [mm].
        hard_fraction: (n,) share of its pT that the hard collision has.
    """

    energy: FloatArray
    code: IntArray
    charge: IntArray
    d0: FloatArray
    dz: FloatArray
    hard_fraction: FloatArray


def dz_resolution(pt: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the resolution of a track's position along the beam [mm]: multiple scattering.

    Args:
        pt: Transverse momenta [GeV].
        eta: Pseudorapidities.
    """
    scattered: FloatArray = np.hypot(_DZ[0], _DZ[1] / pt) * np.cosh(eta) ** 1.5
    return scattered


def d0_resolution(pt: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the resolution of a track's transverse impact parameter [mm]."""
    scattered: FloatArray = np.hypot(_D0[0], _D0[1] / pt * np.cosh(eta) ** 0.5)
    return scattered


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What the tracker makes of particles.

    Attributes:
        tracks: their ``hard_fraction`` is 0 or 1.
        source: (n,) row of each track's particle.
        missed: (particles,) whether a particle was not tracked, yet reaches the calorimeters.
    """

    tracks: Candidates
    source: IntArray
    missed: BoolArray


def track(
    particles: VertexParticles,
    hard: BoolArray,
    hard_z: FloatArray,
    settings: Phase2Settings,
    rng: np.random.Generator,
) -> Tracked:
    """Simulate the tracker.

    Args:
        particles: of many events, from all collisions.
        hard: (n,) whether a particle is of the hard collision.
        hard_z: (n_events,) where along the beam the hard collision is [mm].
        settings: Thresholds and efficiencies.
        rng: Source of randomness.
    """
    eta = np.abs(particles.eta)
    charged = particles.charge != 0
    efficiency = np.where(
        particles.code == MUON,
        settings.muon_efficiency,
        np.where(eta < 2.5, settings.central_efficiency, settings.forward_efficiency),
    )
    reached = charged & (eta < settings.eta_max)
    seen = reached & (particles.pt > settings.track_pt_min) & (rng.random(len(eta)) < efficiency)
    source = np.flatnonzero(seen)
    own = particles.take(source)
    region = np.digitize(np.abs(own.eta), _ETA_STEPS)
    sigma = np.hypot(_PT_CONSTANT[region], _PT_SLOPE[region] * own.pt)
    scale = np.maximum(1.0 + sigma * rng.standard_normal(len(source)), 0.1)
    cosine, sine = np.cos(own.phi), np.sin(own.phi)
    d0 = own.y * cosine - own.x * sine
    closest = own.z - (own.x * cosine + own.y * sine) * np.sinh(own.eta)
    tracks = Candidates(
        event=own.event,
        pt=scale * own.pt,
        eta=own.eta,
        phi=own.phi,
        energy=scale * own.energy,
        code=own.code,
        charge=own.charge,
        d0=d0 + d0_resolution(own.pt, own.eta) * rng.standard_normal(len(source)),
        dz=closest
        - hard_z[own.event]
        + dz_resolution(own.pt, own.eta) * rng.standard_normal(len(source)),
        hard_fraction=hard[source].astype(np.float64),
    )
    # softer ones curl up in the field before they reach the barrel
    looper = charged & (eta < _BARREL_ETA) & (particles.pt < settings.looper_pt)
    missed = ~seen & ~looper & (eta < settings.eta_max) & (particles.code != MUON)
    return Tracked(tracks=tracks, source=source, missed=missed)


def cluster_cells(
    particles: VertexParticles,
    hard: BoolArray,
    n_events: int,
    settings: Phase2Settings,
    rng: np.random.Generator,
) -> Candidates:
    """Sum energies in calorimeter cells, smear them and apply the thresholds.

    Args:
        particles: that reach the calorimeters.
        hard: (n,) whether a particle is of the hard collision.
        n_events: Number of events.
        settings: Cells, resolutions and thresholds.
        rng: Source of randomness.

    Returns:
        One cluster for each cell above its threshold, at the mean place of its energy, sorted by
        event; electromagnetic ones first within each event.
    """
    share = np.zeros(len(particles.event))
    for code, value in _ECAL_SHARE.items():
        share[particles.code == code] = value
    parts = []
    for kind, energy in (("em", share * particles.energy), ("had", (1 - share) * particles.energy)):
        em = kind == "em"
        size = settings.em_cell if em else settings.had_cell
        columns = round(2 * np.pi / size)
        rows = int(np.ceil(2 * settings.eta_max / size))
        row = np.minimum(((particles.eta + settings.eta_max) / size).astype(np.int64), rows - 1)
        column = ((particles.phi + np.pi) * (columns / (2 * np.pi))).astype(np.int64) % columns
        key = (particles.event * rows + row) * columns + column
        length = n_events * rows * columns
        total = np.bincount(key, energy, minlength=length)
        hit = np.flatnonzero(total > 0)
        true = total[hit]

        def mean(values: FloatArray) -> FloatArray:
            summed = np.bincount(key, energy * values, minlength=length)  # noqa: B023 (used here)
            average: FloatArray = summed[hit] / true  # noqa: B023
            return average

        center = (column + 0.5) * (2 * np.pi / columns) - np.pi
        eta = mean(particles.eta)
        phi = mean(wrap_phi(particles.phi - center))
        phi = wrap_phi(phi + (hit % columns + 0.5) * (2 * np.pi / columns) - np.pi)
        sigma = _resolution(true, np.abs(eta), em, settings)
        smeared = np.maximum(true + sigma * rng.standard_normal(len(hit)), 0.0)
        pt = smeared / np.cosh(eta)
        fraction = mean(hard / np.cosh(particles.eta)) / mean(1 / np.cosh(particles.eta))
        none = np.zeros(len(hit))
        clusters = Candidates(
            event=hit // (rows * columns),
            pt=pt,
            eta=eta,
            phi=phi,
            energy=smeared,
            code=np.full(len(hit), PHOTON if em else 0),
            charge=none.astype(np.int64),
            d0=none,
            dz=none,
            hard_fraction=np.clip(fraction, 0.0, 1.0),
        )
        parts.append(clusters.take(pt > (settings.em_pt_min if em else settings.had_pt_min)))
    return Candidates.merge(*parts)


def _resolution(
    energy: FloatArray, eta: FloatArray, em: bool, settings: Phase2Settings
) -> FloatArray:
    """Compute the energy resolution of cells [GeV]."""
    stochastic, constant = (
        (settings.em_stochastic, settings.em_constant)
        if em
        else (settings.had_stochastic, settings.had_constant)
    )
    barrel = np.where(eta < _BARREL_ETA, stochastic[0], stochastic[1])
    sigma: FloatArray = np.sqrt(barrel**2 * energy + (constant * energy) ** 2)
    return sigma
