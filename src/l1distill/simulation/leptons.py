"""Electrons and muons: finding them, isolating them, and the lepton filter."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.detector import Towers, Tracks, identification_efficiency
from l1distill.simulation.particles import ELECTRON, MUON, FloatArray, IntArray, wrap
from l1distill.simulation.pileup import Density, density_at
from l1distill.tasks.anomaly.generator.settings import FilterSettings, GeneratorSettings

_CONE_PT_MIN = 0.5  # [GeV], softer objects do not count for isolation (Delphes CMS card)


class Leptons(NamedTuple):
    """Lepton candidates, sorted by event.

    Attributes:
        event: (n,) int64.
        code: (n,) 11 or 13.
        pt: (n,) [GeV].
        eta: (n,).
        phi: (n,) [rad].
        tracks: (n,) scalar pT of other tracks of the hard scatter in the cone [GeV].
    """

    event: IntArray
    code: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    tracks: FloatArray


def find_leptons(tracks: Tracks, settings: GeneratorSettings, rng: np.random.Generator) -> Leptons:
    """Finds identified electrons and muons among the hard scatter's tracks."""
    detector = settings.detector
    eta = np.abs(tracks.eta)
    eta_max = np.where(tracks.code == ELECTRON, detector.electron_eta_max, detector.muon_eta_max)
    found = (tracks.code == ELECTRON) | (tracks.code == MUON)
    found &= (tracks.pt > detector.lepton_pt_min) & (eta < eta_max)
    index = np.flatnonzero(found)
    efficiency = identification_efficiency(tracks.code[index], tracks.pt[index], eta[index])
    index = index[rng.random(len(index)) < efficiency]
    candidates = Leptons._make([*(column[index] for column in tracks), np.zeros(len(index))])
    in_cone = _cone_sum(candidates, _cone_objects(tracks), detector.isolation_radius)
    return candidates._replace(tracks=in_cone)


def _cone_objects(tracks: Tracks) -> Towers:
    """Tracks that count for isolation: no leptons, as in the card."""
    counts = (tracks.pt > _CONE_PT_MIN) & (tracks.code != ELECTRON) & (tracks.code != MUON)
    return Towers(*(column[counts] for column in (tracks.event, *tracks[2:])))


def isolate(
    leptons: Leptons,
    tracks: Tracks,
    clusters: Towers,
    density: Density,
    settings: GeneratorSettings,
) -> Leptons:
    """Keeps leptons with little around them, neutral pileup subtracted."""
    radius = settings.detector.isolation_radius
    charged = _cone_sum(leptons, _cone_objects(tracks), radius)
    hard = clusters.pt > _CONE_PT_MIN
    neutral = _cone_sum(leptons, Towers(*(column[hard] for column in clusters)), radius)
    expected = density_at(density, leptons.event, leptons.eta) * np.pi * radius**2
    activity = charged + np.maximum(neutral - expected, 0.0)
    isolated = activity < isolation_max(leptons.code, settings) * leptons.pt
    return Leptons._make([column[isolated] for column in leptons])


def isolation_max(code: IntArray, settings: GeneratorSettings) -> FloatArray:
    """Looks up the largest relative activity around each lepton."""
    detector = settings.detector
    return np.where(code == ELECTRON, detector.electron_isolation_max, detector.muon_isolation_max)


def fires(leptons: Leptons, chosen: FilterSettings) -> NDArray[np.bool_]:
    """Says which leptons pass the lepton filter."""
    electron = leptons.code == ELECTRON
    pt_min = np.where(electron, chosen.electron_pt_min, chosen.muon_pt_min)
    eta_max = np.where(electron, chosen.electron_eta_max, chosen.muon_eta_max)
    # thresholds hold for the stored numbers, which are float32
    pt = leptons.pt.astype(np.float32)
    return (pt > pt_min) & (np.abs(leptons.eta.astype(np.float32)) < eta_max)


def _cone_sum(leptons: Leptons, objects: Towers, radius: float) -> FloatArray:
    """Sums the pT of objects around each lepton.

    Args:
        leptons: Candidates.
        objects: Sorted by event; none of them may be a candidate.
        radius: Of the cone in eta and phi.

    Returns:
        (n_leptons,) [GeV].
    """
    first = np.searchsorted(objects.event, leptons.event, side="left")
    counts = np.searchsorted(objects.event, leptons.event, side="right") - first
    owner = np.repeat(np.arange(len(counts)), counts)
    start = np.cumsum(counts) - counts
    row = np.arange(len(owner)) - start[owner] + first[owner]
    squared = (objects.eta[row] - leptons.eta[owner]) ** 2
    squared += wrap(objects.phi[row] - leptons.phi[owner]) ** 2
    inside = squared < radius**2
    return np.bincount(owner[inside], objects.pt[row[inside]], minlength=len(counts))
