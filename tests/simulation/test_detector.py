"""The detector simulation piece by piece, on made-up particles."""

import numpy as np
import pytest

from l1distill.simulation import grid
from l1distill.simulation.columns import DetectorObjects
from l1distill.simulation.detector import Deposits, calorimeter_clusters, track
from l1distill.simulation.jets import cluster_jets, remove_near
from l1distill.simulation.leptons import find_leptons, isolate
from l1distill.simulation.particles import Particles
from l1distill.simulation.pileup import PileupDensity, measure_density
from l1distill.simulation.settings import DetectorSettings
from tests.simulation.objects import flow, leptons

DETECTOR = DetectorSettings()
MANY = 20_000


def particles(code: int, pt: float, eta: float, number: int = MANY) -> Particles:
    """One particle an event."""
    rng = np.random.default_rng(3)
    full = np.full(number, 1.0)
    return Particles(
        event=np.arange(number),
        code=np.full(number, code),
        pt=pt * full,
        eta=eta * full,
        phi=rng.uniform(-np.pi, np.pi, number),
        energy=pt * np.cosh(eta) * full,
    )


# Efficiency and relative resolution as the Delphes CMS card gives them. The electron's at
# eta 0, 50 GeV: track hypot(0.03, 0.065), ECAL hypot(0.008, 0.11/sqrt(50), 0.4/50), weighed.
@pytest.mark.parametrize(
    ("code", "pt", "eta", "efficiency", "resolution"),
    [
        (13, 40.0, 0.2, 0.99, np.hypot(0.01, 0.004)),
        (13, 40.0, -2.0, 0.98, np.hypot(0.025, 0.014)),
        (11, 50.0, 0.0, 0.95, 0.0185),
        (211, 10.0, 1.0, 0.95, np.hypot(0.10, 0.017)),
        (211, 0.9, -2.0, 0.60, 0.25),
    ],
)
def test_tracks(code: int, pt: float, eta: float, efficiency: float, resolution: float) -> None:
    tracks, deposits = track(particles(code, pt, eta), np.random.default_rng(1))
    measured = len(tracks.pt) / MANY
    assert abs(measured - efficiency) < 4 * np.sqrt(efficiency * (1 - efficiency) / MANY)
    assert tracks.pt.mean() == pytest.approx(pt, rel=0.01)
    assert tracks.pt.std() / pt == pytest.approx(resolution, rel=0.05)
    # what is missed goes to the calorimeter, unless it is a muon
    assert len(deposits.em) == (0 if code == 13 else MANY - len(tracks.pt))


def test_tracker_ends_and_soft_particles_loop() -> None:
    rng = np.random.default_rng(1)
    assert len(track(particles(211, 5.0, 2.6), rng)[0].pt) == 0
    _, loopers = track(particles(211, 0.5, 0.3), rng)
    assert len(loopers.had) == 0
    _, forward = track(particles(211, 0.5, 3.0), rng)
    assert len(forward.had) == MANY


@pytest.mark.parametrize(("code", "share"), [(22, 1.0), (130, 0.0), (310, 0.3), (2112, 0.0)])
def test_neutral_particles_share_their_energy(code: int, share: float) -> None:
    tracks, deposits = track(particles(code, 10.0, 0.0, 10), np.random.default_rng(1))
    assert len(tracks.pt) == 0
    np.testing.assert_allclose(deposits.em, 10.0 * share)
    np.testing.assert_allclose(deposits.had, 10.0 * (1 - share))


def deposit(em: float, had: float, eta: float) -> Deposits:
    ring = grid.ring_of(np.full(MANY, eta))
    phi = np.random.default_rng(5).uniform(-9, 9, MANY)
    full = np.ones(MANY)
    return Deposits(event=np.arange(MANY), ring=ring, phi=phi, em=em * full, had=had * full)


@pytest.mark.parametrize(
    ("em", "had", "eta", "resolution"),
    [
        (100.0, 0.0, 0.04, np.sqrt(0.008**2 + 0.11**2 / 100 + 0.4**2 / 100**2)),
        (200.0, 0.0, -4.0, np.sqrt(0.107**2 + 2.08**2 / 200)),
        (0.0, 100.0, 1.0, np.sqrt(0.05**2 + 1.5**2 / 100)),
    ],
)
def test_towers_are_smeared(em: float, had: float, eta: float, resolution: float) -> None:
    clusters = calorimeter_clusters(deposit(em, had, eta), MANY, np.random.default_rng(2))
    energy = clusters.pt * np.cosh(clusters.eta)
    assert len(energy) > 0.99 * MANY
    assert energy.mean() == pytest.approx(em + had, rel=0.02)
    assert energy.std() / energy.mean() == pytest.approx(resolution, rel=0.05)
    assert np.abs(clusters.eta - eta).max() < 0.2
    turned = np.abs((clusters.phi - deposit(em, had, eta).phi + np.pi) % (2 * np.pi) - np.pi)
    assert turned.max() <= 2 * np.pi / 36 + 1e-9


def test_noise_thresholds_hold_back_soft_towers() -> None:
    rng = np.random.default_rng(2)
    assert len(calorimeter_clusters(deposit(0.3, 0.0, 0.0), MANY, rng).pt) < 0.1 * MANY
    assert len(calorimeter_clusters(deposit(0.0, 3.0, 0.0), MANY, rng).pt) < 0.15 * MANY


def test_deposits_in_one_tower_add_up() -> None:
    one = deposit(20.0, 0.0, 0.5)
    both = Deposits.concatenate([one, one])
    clusters = calorimeter_clusters(both, MANY, np.random.default_rng(2))
    assert len(clusters.pt) == MANY
    assert (clusters.pt * np.cosh(clusters.eta)).mean() == pytest.approx(40.0, rel=0.01)
    assert (np.diff(clusters.event) >= 0).all()


def test_grid_is_symmetric_and_scatters_within_cells() -> None:
    eta = np.random.default_rng(1).uniform(-5, 5, 5000)
    phi = np.random.default_rng(2).uniform(-20, 20, 5000)
    ring = grid.ring_of(eta)
    np.testing.assert_array_equal(grid.ring_of(-eta), grid.N_RINGS - 1 - ring)
    cell = grid.cell_of(ring, phi)
    assert cell.min() >= 0
    assert cell.max() < grid.N_CELLS
    back_eta, back_phi = grid.scatter(cell, np.random.default_rng(3))
    np.testing.assert_array_equal(grid.cell_of(grid.ring_of(back_eta), back_phi), cell)
    assert set(grid.ring_of(np.array([-5.1, 5.1]))) == {-1, grid.N_RINGS}


def test_density_of_a_uniform_event_is_its_density_everywhere() -> None:
    rng = np.random.default_rng(1)
    number = 400_000
    uniform = DetectorObjects(
        event=np.zeros(number, dtype=np.int64),
        pt=np.full(number, 0.001),
        eta=rng.uniform(-5, 5, number),
        phi=rng.uniform(-np.pi, np.pi, number),
    )
    density = measure_density(uniform, 1)
    expected = 0.001 * number / (10 * 2 * np.pi)
    eta = np.array([0.0, -1.6, 2.6, -3.5, 4.9])
    np.testing.assert_allclose(density.at(np.zeros(5, dtype=np.int64), eta), expected, rtol=0.05)


def test_a_hard_jet_does_not_move_the_density() -> None:
    rng = np.random.default_rng(1)
    soft = [(0, 0.5, eta, phi) for eta, phi in rng.uniform((-5, -3.1), (5, 3.1), (2000, 2))]
    quiet = measure_density(flow(*soft), 1).values
    loud = measure_density(flow(*soft, (0, 500.0, 0.1, 0.1)), 1).values
    np.testing.assert_allclose(loud, quiet, rtol=0.1)


def test_jets_are_clustered_subtracted_and_kept_off_leptons() -> None:
    objects = flow(
        (0, 30.0, 1.0, 1.0), (0, 10.0, 1.1, 1.1), (0, 25.0, -1.0, -1.0), (0, 50.0, 4.3, 0.0),
        (1, 60.0, 0.0, 3.1), (1, 21.0, 2.0, 0.0),
    )  # fmt: skip
    density = PileupDensity(np.array([[0.0] * 5, [4.0] * 5]))
    lepton = leptons((0, 13, 24.0, -1.1, -1.1))
    jets = cluster_jets(objects, density, 2, DETECTOR)
    assert jets.event.tolist() == [0, 0, 1]
    jets = remove_near(jets, lepton, DETECTOR.jet_radius)
    assert jets.event.tolist() == [0, 1]
    np.testing.assert_allclose(jets.pt, [40.0, 60.0 - 4.0 * np.pi * 0.16], rtol=0.01)
    np.testing.assert_allclose(jets.eta, [1.025, 0.0], atol=0.01)
    np.testing.assert_allclose(jets.phi, [1.025, 3.1], atol=0.01)


def test_a_large_radius_makes_one_jet_of_two() -> None:
    """What the radius of the settings is good for; the two objects are 0.7 apart."""
    objects = flow((0, 60.0, 0.0, 0.0), (0, 50.0, 0.7, 0.0))
    density = PileupDensity(np.zeros((1, 5)))
    small, large = (
        cluster_jets(objects, density, 1, DetectorSettings(jet_radius=radius))
        for radius in (0.4, 0.8)
    )
    assert len(small.pt) == 2
    np.testing.assert_allclose(large.pt, [110.0], rtol=1e-6)


def test_isolation_counts_neighbors_and_forgives_pileup() -> None:
    empty = flow()
    no_tracks, _ = track(particles(211, 5.0, 2.6, 1), np.random.default_rng(1))
    candidates = leptons((0, 11, 40.0, 0.0, 3.1), (1, 11, 40.0, 0.0, 3.1), (2, 13, 40.0, 0.0, 0.0))
    nothing = PileupDensity(np.zeros((3, 5)))
    assert len(isolate(candidates, no_tracks, empty, nothing, DETECTOR).pt) == 3

    # 6 GeV across the seam in phi: too much for an electron, not for a muon
    near = flow((0, 6.0, 0.2, -3.1), (2, 6.0, 0.2, 0.2))
    kept = isolate(candidates, no_tracks, near, nothing, DETECTOR)
    assert kept.event.tolist() == [1, 2]
    pileup = PileupDensity(np.full((3, 5), 6.0 / (np.pi * 0.25)))
    assert len(isolate(candidates, no_tracks, near, pileup, DETECTOR).pt) == 3
    far = flow((0, 30.0, 0.51, 3.1))
    assert len(isolate(candidates, no_tracks, far, nothing, DETECTOR).pt) == 3
    soft = flow(*[(0, 0.49, 0.1, 3.0)] * 50)
    assert len(isolate(candidates, no_tracks, soft, nothing, DETECTOR).pt) == 3


def test_leptons_need_the_threshold_and_are_found_with_the_cards_efficiency() -> None:
    rng = np.random.default_rng(4)
    tracks, _ = track(particles(13, 40.0, 0.5), rng)
    assert len(find_leptons(tracks, DETECTOR, rng).pt) / len(tracks.pt) == pytest.approx(
        0.95, abs=0.01
    )
    tracks, _ = track(particles(11, 40.0, 2.0), rng)
    assert len(find_leptons(tracks, DETECTOR, rng).pt) / len(tracks.pt) == pytest.approx(
        0.85, abs=0.015
    )
    tracks, _ = track(particles(13, 2.5, 0.5), rng)
    assert len(find_leptons(tracks, DETECTOR, rng).pt) == 0
    tracks, _ = track(particles(211, 40.0, 0.5), rng)
    assert len(find_leptons(tracks, DETECTOR, rng).pt) == 0
