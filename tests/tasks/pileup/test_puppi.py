"""PUPPI against loops over the paper's equations (arXiv:1407.6013, section 2)."""

import math

import numpy as np
import pytest

from l1distill.simulation.columns import DetectorObjects
from l1distill.tasks.pileup.puppi import PuppiSettings, neighbors, puppi_weights

N_EVENTS = 3


@pytest.fixture(scope="module")
def objects() -> tuple[DetectorObjects, np.ndarray, np.ndarray]:
    """Three events of 150 particles, the last one without charged pileup."""
    rng = np.random.default_rng(4)
    n = 450
    particles = DetectorObjects(
        event=np.repeat(np.arange(N_EVENTS), n // N_EVENTS),
        pt=rng.exponential(2.0, n) + 0.2,
        eta=rng.uniform(-1.5, 1.5, n),
        phi=rng.uniform(-np.pi, np.pi, n),
    )
    charged = rng.random(n) < 0.6
    from_vertex = rng.random(n) < 0.3
    from_vertex |= particles.event == 2
    return particles, charged, from_vertex


def _weights_by_the_equations(
    particles: DetectorObjects,
    charged: np.ndarray,
    from_vertex: np.ndarray,
    pileup: np.ndarray,
    settings: PuppiSettings,
) -> list[float]:
    """One particle at a time, one pair at a time."""
    n = len(particles.event)

    def alpha(i: int, forward: bool) -> float:
        total = 0.0
        for j in range(n):
            if j == i or particles.event[i] != particles.event[j]:
                continue
            if not forward and not (charged[j] and from_vertex[j]):
                continue
            turn = abs(particles.phi[i] - particles.phi[j])
            turn = min(turn, 2 * math.pi - turn)
            distance = math.sqrt((particles.eta[i] - particles.eta[j]) ** 2 + turn**2)
            if settings.radius_min <= distance <= settings.radius:  # equation 2.1
                total += particles.pt[j] / distance
        return math.log(total) if total > 0 else -math.inf

    def pileup_like(event: int, forward: bool) -> tuple[float, float]:
        values = [
            alpha(i, forward)
            for i in range(n)
            if particles.event[i] == event
            and charged[i]
            and not from_vertex[i]
            and abs(particles.eta[i]) <= settings.central_eta
        ]
        values = [value for value in values if value > -math.inf]
        if not values:
            return math.nan, math.nan
        middle = float(np.median(values))
        counted = [v for v in values if settings.spread == "both" or v < middle]
        return middle, math.sqrt(sum((v - middle) ** 2 for v in counted) / max(len(counted), 1))

    shapes = {(e, f): pileup_like(e, f) for e in range(N_EVENTS) for f in (False, True)}
    weights = []
    for i in range(n):
        forward = abs(particles.eta[i]) > settings.central_eta
        median, spread = shapes[int(particles.event[i]), forward]
        if charged[i]:
            weights.append(1.0 if from_vertex[i] else 0.0)
            continue
        value = alpha(i, forward)
        if math.isnan(median):
            weight = 1.0
        elif value <= median:
            weight = 0.0
        else:
            chi = (value - median) / spread if spread > 0 else math.inf
            weight = math.erf(math.sqrt(chi**2 / 2)) if chi < math.inf else 1.0
        offset, slope = settings.forward_pt_cut if forward else settings.central_pt_cut
        if weight < settings.weight_min:
            weight = 0.0
        if weight * particles.pt[i] < offset + slope * pileup[particles.event[i]]:
            weight = 0.0
        weights.append(weight)
    return weights


@pytest.mark.parametrize(
    "settings",
    [
        PuppiSettings(),
        PuppiSettings(central_eta=0.8, spread="both", radius=0.5, radius_min=0.1),
    ],
    ids=["tracks everywhere", "tracks in the center"],
)
def test_weights_are_those_of_the_equations(
    objects: tuple[DetectorObjects, np.ndarray, np.ndarray], settings: PuppiSettings
) -> None:
    particles, charged, from_vertex = objects
    pileup = np.array([10, 40, 0])
    weights = puppi_weights(
        particles, charged=charged, from_vertex=from_vertex, pileup=pileup, settings=settings
    )
    expected = _weights_by_the_equations(particles, charged, from_vertex, pileup, settings)
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-12)
    neutral = weights[~charged]
    assert 0 < (neutral > 0).mean() < 1
    assert ((neutral > 0) & (neutral < 1)).any()


def test_events_and_order_do_not_matter(
    objects: tuple[DetectorObjects, np.ndarray, np.ndarray],
) -> None:
    particles, charged, from_vertex = objects
    alone = particles.event == 1
    pileup = np.array([10, 40, 0])
    together = puppi_weights(
        particles, charged=charged, from_vertex=from_vertex, pileup=pileup, settings=PuppiSettings()
    )
    rows = np.random.default_rng(1).permutation(np.flatnonzero(alone))
    shuffled = puppi_weights(
        DetectorObjects(
            event=np.zeros(len(rows), np.int64),
            pt=particles.pt[rows],
            eta=-particles.eta[rows],
            phi=(particles.phi[rows] + 2.0) % (2 * np.pi),
        ),
        charged=charged[rows],
        from_vertex=from_vertex[rows],
        pileup=pileup[1:2],
        settings=PuppiSettings(),
    )
    np.testing.assert_allclose(shuffled, together[rows], rtol=1e-9)


def test_neighbors_reach_across_the_seam_of_phi() -> None:
    def at(phi: list[float], event: list[int]) -> DetectorObjects:
        zero = np.zeros(len(phi))
        return DetectorObjects(event=np.array(event), pt=zero + 1, eta=zero, phi=np.array(phi))

    targets = at([3.1, 0.0, -np.pi], [0, 0, 1])
    sources = at([-3.1, 3.1], [0, 1])
    row, other, distance = neighbors(targets, sources, 0.3)
    found = sorted(zip(row.tolist(), other.tolist(), distance.round(4).tolist(), strict=True))
    assert found == [(0, 0, 0.0832), (2, 1, 0.0416)]


def test_an_event_without_particles_is_no_error() -> None:
    none = np.zeros(0)
    empty = DetectorObjects(event=none.astype(np.int64), pt=none, eta=none, phi=none)
    mask = none.astype(bool)
    weights = puppi_weights(
        empty, charged=mask, from_vertex=mask, pileup=np.array([3]), settings=PuppiSettings()
    )
    assert weights.shape == (0,)
