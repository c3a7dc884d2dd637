"""Anti-kt jets with pileup subtracted, without those that are identified leptons."""

from typing import TYPE_CHECKING

import numpy as np

from l1distill.simulation.detector import Towers
from l1distill.simulation.particles import BoolArray, FloatArray, IntArray, wrap
from l1distill.simulation.pileup import Density, density_at
from l1distill.tasks.anomaly.generator.settings import DetectorSettings

if TYPE_CHECKING:
    from l1distill.simulation.leptons import Leptons


def cluster_jets(
    flow: Towers,
    density: Density,
    leptons: "Leptons",
    n_events: int,
    detector: DetectorSettings,
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Clusters tracks and calorimeter clusters into jets, with FastJet (arXiv:1111.6097).

    The pileup in a jet is taken as density times pi R^2, the area of an isolated anti-kt jet
    (Cacciari, Salam, Soyez, arXiv:0802.1188), instead of one measured with ghosts, which would
    multiply the time to cluster.

    Args:
        flow: Tracks and clusters, sorted by event.
        density: Pileup density of each event.
        leptons: Isolated leptons; jets within the jet radius of one are dropped.
        n_events: Number of events.
        detector: Jet radius and thresholds.

    Returns:
        event, pt [GeV], eta and phi [rad] of each jet.
    """
    import awkward as ak
    import fastjet

    counts = np.bincount(flow.event, minlength=n_events)
    columns = {
        "px": flow.pt * np.cos(flow.phi),
        "py": flow.pt * np.sin(flow.phi),
        "pz": flow.pt * np.sinh(flow.eta),
        "E": flow.pt * np.cosh(flow.eta),
    }
    inputs = ak.zip({name: ak.unflatten(value, counts) for name, value in columns.items()})
    # FastJet greets on standard output, in the middle of a progress bar; the citation is above
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, detector.jet_radius)
    sequence = fastjet.ClusterSequence(inputs, definition)
    jets = sequence.inclusive_jets(min_pt=detector.jet_pt_min)
    event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(jets.px)))
    px, py, pz = (ak.to_numpy(ak.flatten(jets[name])) for name in ("px", "py", "pz"))
    raw_pt, phi = np.hypot(px, py), np.arctan2(py, px)
    eta = np.arcsinh(pz / raw_pt)
    area = np.pi * detector.jet_radius**2
    pt = raw_pt - density_at(density, event, eta) * area
    kept = (pt > detector.jet_pt_min) & (np.abs(eta) < detector.jet_eta_max)
    event, pt, eta, phi = event[kept], pt[kept], eta[kept], phi[kept]
    alone = ~_near_lepton(event, eta, phi, leptons, n_events, detector.jet_radius)
    return event[alone], pt[alone], eta[alone], phi[alone]


def _near_lepton(
    event: IntArray,
    eta: FloatArray,
    phi: FloatArray,
    leptons: "Leptons",
    n_events: int,
    radius: float,
) -> BoolArray:
    first = np.searchsorted(leptons.event, np.arange(n_events + 1))
    counts = (first[1:] - first[:-1])[event]
    owner = np.repeat(np.arange(len(event)), counts)
    start = np.cumsum(counts) - counts
    lepton = np.arange(len(owner)) - start[owner] + first[event[owner]]
    squared = (eta[owner] - leptons.eta[lepton]) ** 2
    squared += wrap(phi[owner] - leptons.phi[lepton]) ** 2
    return np.bincount(owner[squared < radius**2], minlength=len(event)) > 0
