"""Anti-kt jets with pileup subtracted, and the removal of jets that are identified leptons."""

import numpy as np

from l1distill.simulation.columns import DetectorObjects
from l1distill.simulation.kinematics import (
    delta_r_squared,
    pseudorapidity,
    transverse_momentum,
)
from l1distill.simulation.pileup import PileupDensity
from l1distill.simulation.ragged import rows_of_events
from l1distill.simulation.settings import DetectorSettings


def cluster_jets(
    flow: DetectorObjects, density: PileupDensity, n_events: int, detector: DetectorSettings
) -> DetectorObjects:
    """Cluster tracks and calorimeter clusters into anti-kt jets, with FastJet (arXiv:1111.6097).

    The pileup in a jet is taken as density times pi R^2, the area of an isolated anti-kt jet
    (Cacciari, Salam, Soyez, arXiv:0802.1188), instead of one measured with ghosts, which would
    multiply the time to cluster.

    Args:
        flow: Tracks and clusters, sorted by event.
        density: Pileup density of each event.
        n_events: Number of events.
        detector: Jet radius and thresholds.

    Returns:
        The jets above the thresholds, sorted by event.
    """
    import awkward as ak
    import fastjet

    counts = np.bincount(flow.event, minlength=n_events)
    px, py = transverse_momentum(flow.pt, flow.phi)
    columns = {
        "px": px,
        "py": py,
        "pz": flow.pt * np.sinh(flow.eta),
        "E": flow.pt * np.cosh(flow.eta),
    }
    inputs = ak.zip({name: ak.unflatten(value, counts) for name, value in columns.items()})
    # FastJet greets on standard output, in the middle of a progress bar; the citation is above
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, detector.jet_radius)
    sequence = fastjet.ClusterSequence(inputs, definition)
    clustered = sequence.inclusive_jets(min_pt=detector.jet_pt_min)
    event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(clustered.px)))
    px, py, pz = (ak.to_numpy(ak.flatten(clustered[name])) for name in ("px", "py", "pz"))
    raw_pt = np.hypot(px, py)
    eta = pseudorapidity(raw_pt, pz)
    area = np.pi * detector.jet_radius**2
    jets = DetectorObjects(
        event=event, pt=raw_pt - density.at(event, eta) * area, eta=eta, phi=np.arctan2(py, px)
    )
    return jets.take((jets.pt > detector.jet_pt_min) & (np.abs(jets.eta) < detector.jet_eta_max))


def remove_near(jets: DetectorObjects, others: DetectorObjects, radius: float) -> DetectorObjects:
    """Remove the jets within a distance in eta and phi of any other object of their event.

    Args:
        jets: Jets.
        others: For example the isolated leptons; sorted by event.
        radius: Smallest distance Delta R that is kept.
    """
    row, owner = rows_of_events(others.event, jets.event)
    squared = delta_r_squared(jets.eta[owner], jets.phi[owner], others.eta[row], others.phi[row])
    near = np.bincount(owner[squared < radius**2], minlength=len(jets.event)) > 0
    return jets.take(~near)
