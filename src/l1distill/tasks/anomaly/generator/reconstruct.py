"""From hard scatters to the nineteen trigger objects, a batch of events at a time."""

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation import pool as pools
from l1distill.simulation.columns import DetectorObjects, IntArray
from l1distill.simulation.detector import Deposits, Tracks, calorimeter_clusters, track
from l1distill.simulation.hard import HardEvents
from l1distill.simulation.jets import cluster_jets, remove_near
from l1distill.simulation.kinematics import transverse_momentum, wrap_phi
from l1distill.simulation.leptons import find_leptons, isolate, isolation_max
from l1distill.simulation.particles import ELECTRON, MUON
from l1distill.simulation.pileup import measure_density
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS, N_OBJECTS
from l1distill.tasks.anomaly.generator.lepton_filter import passes_filter
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings


def reconstruct(
    hard: HardEvents,
    settings: GeneratorSettings,
    pileup: pools.Pool,
    underlying: pools.Pool | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], IntArray]:
    """Simulate the detector and reconstruct the events that pass the lepton filter.

    Events that already fail on the hard scatter alone are dropped before pileup is drawn; that
    loses nothing, since more activity never makes a lepton more isolated.

    Args:
        hard: Hard scatters.
        settings: Settings of pileup, detector and lepton filter.
        pileup: Inelastic collisions.
        underlying: Multi-parton interactions to overlay, or None.
        rng: Source of randomness.

    Returns:
        (n, 19, 3) objects of the events that pass, in their order, and (n,) their numbers in
        ``hard``.
    """
    detector = settings.detector
    tracks, deposits = track(hard.particles, rng)
    leptons = find_leptons(tracks, detector, rng)
    possible = np.zeros(hard.events, dtype=bool)
    isolated = leptons.cone_pt < isolation_max(leptons.code, detector) * leptons.pt
    possible[leptons.event[isolated & passes_filter(leptons, settings.filter)]] = True
    tracks = tracks.select_events(possible)
    deposits = deposits.select_events(possible)
    leptons = leptons.select_events(possible)
    n_events = int(possible.sum())
    numbers = np.flatnonzero(possible)
    if not n_events:
        return np.zeros((0, N_OBJECTS, 3), dtype=np.float32), numbers

    if underlying is not None:
        drawn = pools.draw(underlying, np.ones(n_events, dtype=np.int64), rng)
        tracks = Tracks.merge(tracks, pools.overlay_tracks(underlying, drawn))
        deposits = Deposits.merge(deposits, pools.overlay_deposits(underlying, drawn))
    drawn = pools.draw(pileup, rng.poisson(settings.pileup, n_events), rng)
    deposits = Deposits.merge(deposits, pools.overlay_deposits(pileup, drawn))
    pileup_px, pileup_py = pools.overlay_track_sum(pileup, drawn, n_events)
    clusters = calorimeter_clusters(deposits, n_events, rng)
    flow = DetectorObjects.merge(tracks, clusters)
    density = measure_density(flow, n_events)

    leptons = isolate(leptons, tracks, clusters, density, detector)
    accepted = np.zeros(n_events, dtype=bool)
    accepted[leptons.event[passes_filter(leptons, settings.filter)]] = True
    flow_px, flow_py = transverse_momentum(flow.pt, flow.phi)
    px = pileup_px + np.bincount(flow.event, flow_px, minlength=n_events)
    py = pileup_py + np.bincount(flow.event, flow_py, minlength=n_events)
    leptons, flow = leptons.select_events(accepted), flow.select_events(accepted)
    n_accepted = int(accepted.sum())

    objects = np.zeros((n_accepted, N_OBJECTS, 3), dtype=np.float32)
    objects[:, MET, 0] = np.hypot(px, py)[accepted]
    objects[:, MET, 2] = np.arctan2(-py, -px)[accepted]
    _fill(objects[:, ELECTRONS], leptons.take(leptons.code == ELECTRON))
    _fill(objects[:, MUONS], leptons.take(leptons.code == MUON))
    jets = cluster_jets(flow, density.select_events(accepted), n_accepted, detector)
    _fill(objects[:, JETS], remove_near(jets, leptons, detector.jet_radius))
    return objects, numbers[accepted]


def _fill(slots: NDArray[np.float32], objects: DetectorObjects) -> None:
    """Put each event's hardest objects into its slots, sorted by falling pT, in place.

    Args:
        slots: (n_events, n_slots, 3), all zero.
        objects: Objects of the type that the slots hold, sorted by event.
    """
    objects = objects.take(np.lexsort((-objects.pt, objects.event)))
    rank = np.arange(len(objects.event)) - np.searchsorted(
        objects.event, objects.event, side="left"
    )
    fits = rank < slots.shape[1]
    hardest = objects.take(fits)
    slots[hardest.event, rank[fits]] = np.stack(
        [hardest.pt, hardest.eta, wrap_phi(hardest.phi)], axis=1
    )
