"""Events as graphs: features of particles, and each particle's nearest neighbors.

Neighbors are found outside of the network by a k-d tree: the time grows with n log n, where the
published network compares all pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import BoolArray, DetectorObjects, FloatArray, IntArray
from l1distill.simulation.kinematics import wrap_phi
from l1distill.tasks.pileup.events import IDS, Events, RecordedCandidates

_DZ_MM, _DZ_NEAR_MM, _D0_MM = 0.2, 0.5, 0.1
N_FEATURES = 9 + len(IDS)
"""Features of a node, see :func:`node_features`."""
N_GEOMETRY = 4
"""Numbers of an edge: the differences in eta and phi, the distance, and the neighbor's log pT over
the distance in units of 0.02, or over 1 where they are nearer."""
LOG_PT = 1
"""Which of the features is log pT."""
_DISTANCE_MIN = 0.02
_SEAM = 1.0  # how far from phi = pi there are copies of what is on the other side [rad]


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """A batch of events, padded to the largest one.

    Attributes:
        features: (events, particles, 17) float32.
        neighbors: (events, particles, k) int32, rows of the same event; -1 replaced by 0.
        connected: (events, particles, k) float32, 1 for a neighbor, 0 for none.
        geometry: (events, particles, k, 4) float32, see :data:`N_GEOMETRY`.
        real: (events, particles) float32, 0 for padding.
    """

    features: NDArray[np.float32]
    neighbors: NDArray[np.int32]
    connected: NDArray[np.float32]
    geometry: NDArray[np.float32]
    real: NDArray[np.float32]

    def inputs(self) -> list[NDArray[Any]]:
        """Return what a network takes, in its order."""
        return [self.features, self.neighbors, self.connected, self.geometry]


def nearest(objects: DetectorObjects, k: int) -> tuple[IntArray, FloatArray]:
    """Find the k nearest other objects of the same event in eta and phi.

    Args:
        objects: of many events.
        k: number of neighbors.

    Returns:
        Rows (n, k), nearest first, -1 where the event has no more; and distances (n, k).
    """
    n = len(objects.event)
    rows, distances = np.full((n, k), -1), np.zeros((n, k))
    # a tree for each event: which of equally distant ones is taken does not depend on the batch
    ends = np.flatnonzero(np.diff(objects.event, append=-1)) + 1
    start = 0
    for stop in ends.tolist():
        found, distance = _nearest_of_event(objects.eta[start:stop], objects.phi[start:stop], k)
        missing = ~np.isfinite(distance)
        rows[start:stop] = np.where(missing, -1, found + start)
        distances[start:stop] = np.where(missing, 0.0, distance)
        start = stop
    return rows, distances


def nearest_in_event(objects: DetectorObjects, k: int) -> IntArray:
    """Find the k nearest other objects as their places in the event, (n, k); -1 for none."""
    row, _ = nearest(objects, k)
    place = positions(objects.event, int(objects.event.max(initial=-1)) + 1)
    return np.where(row >= 0, place[row], -1)


def _nearest_of_event(eta: FloatArray, phi: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """Return rows and distances, (n, k); infinite where there are no more."""
    from scipy.spatial import cKDTree

    n, turn = len(eta), 2 * np.pi
    phi = wrap_phi(phi)
    low, high = (np.flatnonzero(side * phi > np.pi - _SEAM) for side in (-1, 1))
    # copies across the seam take a fifth less time than a periodic tree
    source = np.concatenate([np.arange(n), low, high])
    shift = np.repeat([0.0, turn, -turn], [n, len(low), len(high)])
    tree = cKDTree(np.stack([eta[source], phi[source] + shift], axis=1), balanced_tree=False)
    # one more, since each is its own nearest
    distance, row = tree.query(tree.data[:n], k=np.arange(1, k + 2))
    if n and not distance[:, -1].max() < _SEAM:  # where particles are few or far from each other
        places = np.stack([eta, phi % turn % turn], axis=1)
        tree = cKDTree(places, boxsize=[0.0, turn])
        distance, row = tree.query(places, k=np.arange(1, k + 2))
        source = np.arange(n + 1)  # the row of none is n
    row = source[row]
    own = row == np.arange(n)[:, None]
    # where more than k are at the same place, it may not be among them: the last one goes
    own[:, -1] |= ~own.any(axis=1)
    return row[~own].reshape(n, k), distance[~own].reshape(n, k)


def node_features(particles: RecordedCandidates, vertex: BoolArray) -> NDArray[np.float32]:
    """Return the features of particles, (n, 17).

    eta, log pT, log E, asinh of dz, nearness of dz, asinh of d0, charge, vertex flag, PUPPI weight,
    and the eight ids. None is standardized: the ids would become dozens of deviations for rare
    particles.

    Args:
        particles: of many events.
        vertex: (n,) whether a track is of the hard collision's vertex.
    """
    charged = particles.charge != 0
    columns = [
        particles.eta,
        np.log(particles.pt),
        np.log(particles.energy),
        np.arcsinh(particles.dz / _DZ_MM) * charged,
        np.exp(-0.5 * (particles.dz / _DZ_NEAR_MM) ** 2) * charged,
        np.arcsinh(particles.d0 / _D0_MM) * charged,
        particles.charge,
        np.where(charged, np.where(vertex, 1.0, -1.0), 0.0),
        particles.puppi,
        *np.eye(len(IDS))[particles.id].T,
    ]
    features: NDArray[np.float32] = np.stack(columns, axis=1).astype(np.float32)
    return features


def build_graphs(events: Events, vertex: BoolArray, neighbors: IntArray) -> Graphs:
    """Build the graphs of a batch of events.

    Args:
        events: at least one.
        vertex: (n,) whether a particle's track is of the hard collision's vertex.
        neighbors: (n, k) see :func:`nearest_in_event`.
    """
    particles = events.particles
    n, count = len(particles.event), len(events)
    position = positions(particles.event, count)
    size = max(int(position.max(initial=0)) + 1, 1)
    connected = neighbors >= 0
    first = np.arange(n) - position
    other = np.where(connected, first[:, None] + neighbors, np.arange(n)[:, None])
    columns = [particles.eta, particles.phi, np.log(particles.pt)]
    own = np.stack(columns, axis=1).astype(np.float32)
    near = own[other]
    geometry = np.empty((*neighbors.shape, N_GEOMETRY), np.float32)
    geometry[..., 0] = near[..., 0] - own[:, None, 0]
    geometry[..., 1] = wrap_phi(near[..., 1] - own[:, None, 1])
    distance = np.hypot(geometry[..., 0], geometry[..., 1])
    geometry[..., 2] = distance
    geometry[..., 3] = near[..., 2] / np.maximum(distance, _DISTANCE_MIN) * _DISTANCE_MIN
    geometry *= connected[..., None]

    def pad(values: NDArray[Any], kind: Any) -> NDArray[Any]:
        padded = np.zeros((count, size, *values.shape[1:]), kind)
        padded[particles.event, position] = values
        return padded

    return Graphs(
        features=pad(node_features(particles, vertex), np.float32),
        neighbors=pad(np.where(connected, neighbors, 0), np.int32),
        connected=pad(connected, np.float32),
        geometry=pad(geometry, np.float32),
        real=pad(np.ones(n), np.float32),
    )


def positions(event: IntArray, n_events: int) -> IntArray:
    """Return where in its event each row of a record sorted by event stands, from 0."""
    counts = np.bincount(event, minlength=n_events)
    first = np.cumsum(counts) - counts
    place: IntArray = np.arange(len(event)) - first[event]
    return place
