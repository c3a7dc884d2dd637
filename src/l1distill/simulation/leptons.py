"""Electrons and muons: identification and isolation."""

from dataclasses import dataclass, replace

import numpy as np

from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray
from l1distill.simulation.detector import Tracks, identification_efficiency
from l1distill.simulation.kinematics import delta_r_squared
from l1distill.simulation.particles import ELECTRON, MUON
from l1distill.simulation.pileup import PileupDensity
from l1distill.simulation.ragged import rows_of_events
from l1distill.simulation.settings import DetectorSettings

_CONE_PT_MIN = 0.5  # [GeV], softer objects do not count for isolation (Delphes CMS card)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leptons(DetectorObjects):
    """Lepton candidates, sorted by event.

    Attributes:
        code: (n,) absolute PDG code, 11 or 13.
        cone_pt: (n,) scalar pT sum of other tracks of the hard scatter in the isolation cone
            [GeV].
    """

    code: IntArray
    cone_pt: FloatArray


def find_leptons(tracks: Tracks, detector: DetectorSettings, rng: np.random.Generator) -> Leptons:
    """Identify electrons and muons among the hard scatter's tracks.

    Args:
        tracks: Tracks of the hard scatter, sorted by event.
        detector: Acceptance, threshold and radius of the isolation cone.
        rng: Source of randomness for the identification efficiency.
    """
    eta = np.abs(tracks.eta)
    eta_max = np.where(tracks.code == ELECTRON, detector.electron_eta_max, detector.muon_eta_max)
    accepted = (tracks.code == ELECTRON) | (tracks.code == MUON)
    accepted &= (tracks.pt > detector.lepton_pt_min) & (eta < eta_max)
    index = np.flatnonzero(accepted)
    efficiency = identification_efficiency(tracks.code[index], tracks.pt[index], eta[index])
    identified = tracks.take(index[rng.random(len(index)) < efficiency])
    leptons = Leptons.of(identified, cone_pt=np.zeros(len(identified.event)))
    in_cone = _cone_sum(leptons, _cone_tracks(tracks), detector.isolation_radius)
    return replace(leptons, cone_pt=in_cone)


def isolate(
    leptons: Leptons,
    tracks: Tracks,
    clusters: DetectorObjects,
    density: PileupDensity,
    detector: DetectorSettings,
) -> Leptons:
    """Keep leptons with little pT around them, neutral pileup subtracted.

    Args:
        leptons: Candidates.
        tracks: Tracks of the hard scatter, the candidates' own included.
        clusters: Calorimeter clusters, those of pileup included.
        density: Pileup density of each event, subtracted from the clusters in the cone.
        detector: Isolation thresholds and cone radius.
    """
    radius = detector.isolation_radius
    charged = _cone_sum(leptons, _cone_tracks(tracks), radius)
    neutral = _cone_sum(leptons, clusters.take(clusters.pt > _CONE_PT_MIN), radius)
    expected = density.at(leptons.event, leptons.eta) * np.pi * radius**2
    activity = charged + np.maximum(neutral - expected, 0.0)
    return leptons.take(activity < isolation_max(leptons.code, detector) * leptons.pt)


def isolation_max(code: IntArray, detector: DetectorSettings) -> FloatArray:
    """Look up the largest pT sum allowed around each lepton, relative to its pT."""
    return np.where(code == ELECTRON, detector.electron_isolation_max, detector.muon_isolation_max)


def _cone_tracks(tracks: Tracks) -> Tracks:
    """Select the tracks that count for isolation: no leptons, as in the card."""
    return tracks.take(
        (tracks.pt > _CONE_PT_MIN) & (tracks.code != ELECTRON) & (tracks.code != MUON)
    )


def _cone_sum(leptons: Leptons, objects: DetectorObjects, radius: float) -> FloatArray:
    """Sum the pT of objects around each lepton.

    Args:
        leptons: Candidates.
        objects: Sorted by event; none of them may be a candidate.
        radius: Radius of the cone in eta and phi.

    Returns:
        (n_leptons,) [GeV].
    """
    row, owner = rows_of_events(objects.event, leptons.event)
    squared = delta_r_squared(
        objects.eta[row], objects.phi[row], leptons.eta[owner], leptons.phi[owner]
    )
    inside = squared < radius**2
    return np.bincount(owner[inside], objects.pt[row[inside]], minlength=len(leptons.event))
