"""From hard scatters to the nineteen trigger objects, a batch of events at a time."""

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation import pool as pools
from l1distill.simulation.detector import Towers, towers, track
from l1distill.simulation.hard import HardEvents
from l1distill.simulation.jets import cluster_jets
from l1distill.simulation.leptons import (
    Leptons,
    find_leptons,
    fires,
    isolate,
    isolation_max,
)
from l1distill.simulation.particles import (
    ELECTRON,
    MUON,
    FloatArray,
    IntArray,
    merge,
    select_events,
    wrap,
)
from l1distill.simulation.pileup import Density, measure_density
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS, N_OBJECTS
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings


def reconstruct(
    hard: HardEvents,
    settings: GeneratorSettings,
    pileup: pools.Pool,
    underlying: pools.Pool | None,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], IntArray]:
    """Simulates the detector and reconstructs what passes the lepton filter.

    Events that already fail on the hard scatter alone are dropped before pileup is drawn; that
    loses nothing, since more activity never makes a lepton more isolated.

    Args:
        hard: Hard scatters.
        settings: Generator's settings.
        pileup: Inelastic collisions.
        underlying: Multi-parton interactions to overlay, or None.
        rng: Source of randomness.

    Returns:
        (n, 19, 3) objects of the events that pass, in their order, and (n,) their numbers in
        ``hard``.
    """
    tracks, deposits = track(hard.particles, rng)
    leptons = find_leptons(tracks, settings, rng)
    possible = np.zeros(hard.events, dtype=bool)
    isolated = leptons.tracks < isolation_max(leptons.code, settings) * leptons.pt
    possible[leptons.event[isolated & fires(leptons, settings.filter)]] = True
    tracks = select_events(tracks, possible)
    deposits = select_events(deposits, possible)
    leptons = select_events(leptons, possible)
    n_events = int(possible.sum())
    numbers = np.flatnonzero(possible)
    if not n_events:
        return np.zeros((0, N_OBJECTS, 3), dtype=np.float32), numbers

    if underlying is not None:
        chosen = pools.draw(underlying, np.ones(n_events, dtype=np.int64), rng)
        tracks = merge(tracks, pools.overlay_tracks(underlying, chosen))
        deposits = merge(deposits, pools.overlay_deposits(underlying, chosen))
    chosen = pools.draw(pileup, rng.poisson(settings.pileup, n_events), rng)
    deposits = merge(deposits, pools.overlay_deposits(pileup, chosen))
    px, py = pools.overlay_track_sum(pileup, chosen, n_events)
    clusters = towers(deposits, n_events, rng)
    flow = merge(Towers(tracks.event, *tracks[2:]), clusters)
    density = measure_density(flow, n_events)

    leptons = isolate(leptons, tracks, clusters, density, settings)
    accepted = np.zeros(n_events, dtype=bool)
    accepted[leptons.event[fires(leptons, settings.filter)]] = True
    px = px + np.bincount(flow.event, flow.pt * np.cos(flow.phi), minlength=n_events)
    py = py + np.bincount(flow.event, flow.pt * np.sin(flow.phi), minlength=n_events)
    density = Density(density.values[accepted])
    leptons, flow = select_events(leptons, accepted), select_events(flow, accepted)
    n_accepted = int(accepted.sum())

    objects = np.zeros((n_accepted, N_OBJECTS, 3), dtype=np.float32)
    objects[:, MET, 0] = np.hypot(px, py)[accepted]
    objects[:, MET, 2] = np.arctan2(-py, -px)[accepted]
    for code, slots in ((ELECTRON, ELECTRONS), (MUON, MUONS)):
        chosen_leptons = leptons.code == code
        _fill(objects[:, slots], *(column[chosen_leptons] for column in _momenta(leptons)))
    jets = cluster_jets(flow, density, leptons, n_accepted, settings.detector)
    _fill(objects[:, JETS], *jets)
    return objects, numbers[accepted]


def _momenta(leptons: Leptons) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    return leptons.event, leptons.pt, leptons.eta, leptons.phi


def _fill(
    slots: NDArray[np.float32],
    event: IntArray,
    pt: FloatArray,
    eta: FloatArray,
    phi: FloatArray,
) -> None:
    """Puts each event's hardest objects into its slots, sorted by falling pT."""
    order = np.lexsort((-pt, event))
    event = event[order]
    rank = np.arange(len(event)) - np.searchsorted(event, event, side="left")
    fits = rank < slots.shape[1]
    chosen = order[fits]
    values = np.stack([pt[chosen], eta[chosen], wrap(phi[chosen])], axis=1)
    slots[event[fits], rank[fits]] = values
