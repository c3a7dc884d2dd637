"""Tracker and calorimeter response, with the formulas of Delphes' CMS card with pileup.

Source: ``cards/delphes_card_CMS_PileUp.tcl`` of Delphes 3 (de Favereau et al., arXiv:1307.6346);
momentum resolutions after CMS, arXiv:1405.6569, ECAL after arXiv:1306.2016 and 1502.02701.
"""

from dataclasses import dataclass

import numpy as np

from l1distill.simulation import grid
from l1distill.simulation.columns import Columns, DetectorObjects, FloatArray, IntArray
from l1distill.simulation.particles import ELECTRON, MUON, PHOTON, Particles

TRACKER_ETA_MAX = 2.5
_LOOPER_PT = 0.73  # [GeV]: 0.3 * 3.8 T * 1.29 m / 2, softer tracks never reach the barrel
_BARREL_ETA = 1.59  # where the barrel of radius 1.29 m and half length 3 m ends
_ECAL_SHARE = {PHOTON: 1.0, ELECTRON: 1.0, MUON: 0.0, 310: 0.3, 3122: 0.3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks(DetectorObjects):
    """Reconstructed charged particles, sorted by event; pT is smeared.

    Attributes:
        code: (n,) absolute PDG code; 11 and 13 are electrons and muons.
    """

    code: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposits(Columns):
    """Energy that untracked particles leave in the calorimeters, before any smearing.

    Attributes:
        event: (n,) int64, index of the event in the batch.
        ring: (n,) int64, ring of the tower grid.
        phi: (n,) [rad].
        em: (n,) energy in the electromagnetic calorimeter [GeV].
        had: (n,) energy in the hadronic calorimeter [GeV].
    """

    ring: IntArray
    phi: FloatArray
    em: FloatArray
    had: FloatArray


def track(particles: Particles, rng: np.random.Generator) -> tuple[Tracks, Deposits]:
    """Simulate the tracker; particles that it misses reach the calorimeters.

    A tracked particle leaves no calorimeter energy of its own: energy flow replaces its shower
    by the track.

    Args:
        particles: Particles of many events.
        rng: Source of randomness.

    Returns:
        The tracks and the deposits of all other particles.
    """
    tracks, deposits, _ = track_with_source(particles, rng)
    return tracks, deposits


def track_with_source(
    particles: Particles, rng: np.random.Generator
) -> tuple[Tracks, Deposits, IntArray]:
    """Simulate the tracker as :func:`track` does, and tell which particle each track is.

    Returns:
        The tracks, the deposits of all other particles, and of each track the row in
        ``particles``.
    """
    eta = np.abs(particles.eta)
    tracked = particles.charged & (eta < TRACKER_ETA_MAX)
    tracked &= rng.random(len(eta)) < _tracking_efficiency(particles.code, particles.pt, eta)
    seen = particles.take(tracked)
    sigma = _track_resolution(seen.code, seen.pt, np.abs(seen.eta), seen.energy)
    tracks = Tracks(
        event=seen.event,
        code=seen.code,
        pt=_log_normal(seen.pt, sigma * seen.pt, rng),
        eta=seen.eta,
        phi=seen.phi,
    )

    ring = grid.ring_of(particles.eta)
    looper = particles.charged & (particles.pt < _LOOPER_PT) & (eta < _BARREL_ETA)
    hits = ~tracked & ~looper & (ring >= 0) & (ring < grid.N_RINGS) & (particles.code != MUON)
    code = particles.code[hits]
    share = np.zeros(len(code))
    for species, value in _ECAL_SHARE.items():
        share[code == species] = value
    energy = particles.energy[hits]
    deposits = Deposits(
        event=particles.event[hits],
        ring=ring[hits],
        phi=particles.phi[hits],
        em=share * energy,
        had=(1 - share) * energy,
    )
    return tracks, deposits, np.flatnonzero(tracked)


def calorimeter_clusters(
    deposits: Deposits, n_events: int, rng: np.random.Generator
) -> DetectorObjects:
    """Sum deposits in calorimeter towers, smear them and apply the noise thresholds.

    Args:
        deposits: In any order.
        n_events: Number of events in the batch.
        rng: Source of randomness.

    Returns:
        The clusters, sorted by event: electromagnetic ones first, then hadronic ones.
    """
    key = deposits.event * grid.N_CELLS + grid.cell_of(deposits.ring, deposits.phi)
    parts = []
    for energy, resolution, threshold in (
        (deposits.em, _ecal_resolution, 0.5),
        (deposits.had, _hcal_resolution, 1.0),
    ):
        summed = np.bincount(key, weights=energy, minlength=n_events * grid.N_CELLS)
        # below a tenth of the threshold no fluctuation brings a tower back
        hit = np.flatnonzero(summed > 0.1 * threshold)
        event, cell = np.divmod(hit, grid.N_CELLS)
        eta, phi = grid.scatter(cell, rng)
        true = summed[hit]
        smeared = _log_normal(true, resolution(true, np.abs(eta)), rng)
        # energy must stand out from the noise by two standard deviations
        kept = (smeared > threshold) & (smeared > 2.0 * resolution(smeared, np.abs(eta)))
        parts.append(
            DetectorObjects(
                event=event[kept],
                pt=smeared[kept] / np.cosh(eta[kept]),
                eta=eta[kept],
                phi=phi[kept],
            )
        )
    return DetectorObjects.merge(*parts)


def identification_efficiency(code: IntArray, pt: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the efficiency to identify a tracked lepton (the card's efficiency modules).

    Args:
        code: Absolute PDG codes, 11 or 13.
        pt: Transverse momenta [GeV].
        eta: Absolute pseudorapidities.
    """
    del pt  # the card's only pT dependence is the threshold, a setting here
    return np.where((code == ELECTRON) & (eta > 1.5), 0.85, 0.95)


def _tracking_efficiency(code: IntArray, pt: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the efficiency to reconstruct the track of a charged particle."""
    central = eta < 1.5
    soft = pt <= 1.0
    hadron = np.where(central, np.where(soft, 0.70, 0.95), np.where(soft, 0.60, 0.85))
    electron = np.where(
        central,
        np.where(soft, 0.73, np.where(pt <= 100.0, 0.95, 0.99)),
        np.where(soft, 0.50, np.where(pt <= 100.0, 0.83, 0.90)),
    )
    tail = np.where(pt > 1000.0, np.exp(0.5 - pt * 5e-4), 1.0)
    muon = np.where(central, np.where(soft, 0.75, 0.99), np.where(soft, 0.70, 0.98)) * tail
    efficiency = np.where(code == ELECTRON, electron, np.where(code == MUON, muon, hadron))
    return np.where(pt > 0.1, efficiency, 0.0)


def _track_resolution(
    code: IntArray, pt: FloatArray, eta: FloatArray, energy: FloatArray
) -> FloatArray:
    """Compute the relative pT resolution of tracks; electrons profit from the calorimeter."""
    region = np.digitize(eta, (0.5, 1.5))
    constant = {
        "hadron": (0.06, 0.10, 0.25), "electron": (0.03, 0.05, 0.15), "muon": (0.01, 0.015, 0.025)
    }  # fmt: skip
    slope = {
        "hadron": (1.3e-3, 1.7e-3, 3.1e-3), "electron": (1.3e-3, 1.7e-3, 3.1e-3),
        "muon": (1.0e-4, 1.5e-4, 3.5e-4),
    }  # fmt: skip

    def of(particle: str) -> FloatArray:
        constants, slopes = np.array(constant[particle]), np.array(slope[particle])
        return np.hypot(constants[region], slopes[region] * pt)

    # Delphes weighs the electron's track with its ECAL cluster
    cluster = _ecal_resolution(energy, eta) / np.maximum(energy, 1e-9)
    electron = 1.0 / np.hypot(1.0 / of("electron"), 1.0 / cluster)
    return np.where(code == ELECTRON, electron, np.where(code == MUON, of("muon"), of("hadron")))


def _ecal_resolution(energy: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the energy resolution of the electromagnetic calorimeter [GeV]."""
    near = np.sqrt((0.008 * energy) ** 2 + 0.11**2 * energy + 0.40**2)
    barrel = (1 + 0.64 * eta**2) * near
    endcap = (2.16 + 5.6 * (eta - 2) ** 2) * near
    forward = np.sqrt((0.107 * energy) ** 2 + 2.08**2 * energy)
    return np.where(eta <= 1.5, barrel, np.where(eta <= 2.5, endcap, forward))


def _hcal_resolution(energy: FloatArray, eta: FloatArray) -> FloatArray:
    """Compute the energy resolution of the hadronic calorimeter [GeV]."""
    central = np.sqrt((0.050 * energy) ** 2 + 1.50**2 * energy)
    forward = np.sqrt((0.130 * energy) ** 2 + 2.70**2 * energy)
    return np.where(eta <= 3.0, central, forward)


def _log_normal(mean: FloatArray, sigma: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw from log-normal distributions of given mean and width: never negative."""
    square = np.log1p((sigma / np.maximum(mean, 1e-12)) ** 2)
    noise = np.sqrt(square) * rng.standard_normal(len(mean))
    drawn: FloatArray = mean * np.exp(noise - 0.5 * square)
    return drawn
