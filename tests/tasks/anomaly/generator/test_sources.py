"""Where particles come from: hard scatters, the decay library, the pools."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.simulation import decays, grid, pool
from l1distill.simulation.hard import HardEvents, build_pythia, generate_hard
from l1distill.simulation.particles import Particles, wrap
from l1distill.simulation.storage import load_record, save_record
from l1distill.tasks.anomaly.generator.processes import HEAVY_HADRONS


@pytest.fixture(scope="module")
def pileup() -> pool.Pool:
    return pool.build_pool("pileup", 200, seed=5)


@pytest.fixture(scope="module")
def library() -> decays.DecayLibrary:
    return decays.build_library(300, seed=5)


def hardest_lepton(particles: Particles, events: int) -> np.ndarray:
    lepton = ((particles.code == 11) | (particles.code == 13)) & (np.abs(particles.eta) < 2.5)
    hardest = np.zeros(events)
    np.maximum.at(hardest, particles.event[lepton], particles.pt[lepton])
    return hardest


def test_veto_drops_nothing_that_could_pass() -> None:
    # a smeared lepton above 23 GeV has at least 20 GeV: such events must be as frequent with
    # the veto as without it, and the veto must be worth having
    rates, errors, shares = [], [], []
    for pt_min in (23.0, 0.1):
        stream = generate_hard("w", 17, mpi=False, lepton_pt_min=pt_min)
        batches = [next(stream) for _ in range(4)]
        tried = sum(batch.tried for batch in batches)
        hard = sum(
            int((hardest_lepton(batch.particles, batch.events) > 20).sum()) for batch in batches
        )
        rates.append(hard / tried)
        errors.append(np.sqrt(hard) / tried)
        shares.append(sum(batch.events for batch in batches) / tried)
    assert abs(rates[0] - rates[1]) < 4 * np.hypot(*errors)
    assert shares[0] < 0.9 * shares[1]


def test_streams_repeat_with_their_seed_and_differ_without() -> None:
    one, two, three = (
        next(generate_hard("z", seed, mpi=False, lepton_pt_min=23.0, batch=5)).particles.pt
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert len(one) != len(three) or (one != three).any()


def test_pythia_refuses_an_unknown_setting() -> None:
    with pytest.raises(RuntimeError, match="NoSuch:setting"):
        build_pythia(("NoSuch:setting = on",), 1)


def test_library_has_a_hard_lepton_in_every_decay_and_the_right_masses(
    library: decays.DecayLibrary,
) -> None:
    lepton = (library.code == 11) | (library.code == 13)
    owner = np.repeat(np.arange(len(library.first) - 1), np.diff(library.first))
    assert (np.bincount(owner[lepton], minlength=len(library.first) - 1) >= 1).all()
    # visible energy cannot exceed the mass of what decayed
    energy = np.bincount(owner, library.energy)
    mass = np.repeat(library.mass, np.diff(library.species_first))
    assert (energy < mass * (1 + 1e-6)).all()
    assert library.mass[HEAVY_HADRONS.index(511)] == pytest.approx(5.28, abs=0.01)


def test_redecay_boosts_decays_along_their_hadron(library: decays.DecayLibrary) -> None:
    number = 2000
    full = np.ones(number)
    phi = np.zeros(number)
    pt, eta = 80.0, -1.2
    mass = 5.27934
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    hadrons = Particles(
        np.arange(number), np.full(number, 521), pt * full, eta * full, phi, energy * full
    )
    hard = HardEvents(hadrons, number, 3 * number, np.full(number, np.nan))
    out = decays.redecay(hard, library, 23.0, np.random.default_rng(1))
    assert out.tried == 3 * number * decays.TRIES
    assert 0.05 < out.events / (number * decays.TRIES) < 0.9
    assert (hardest_lepton(out.particles, out.events) > 0.85 * 23).all()
    # a boost of 15 keeps the products together; the event as a whole may point anywhere in phi
    first = np.searchsorted(out.particles.event, np.arange(out.events))
    axis = first[out.particles.event]
    apart = wrap(out.particles.phi - out.particles.phi[axis])
    assert np.median(np.abs(apart[np.arange(len(apart)) != axis])) < 0.2
    assert np.median(np.abs(out.particles.eta)) == pytest.approx(1.2, abs=0.05)
    assert 0.4 < (out.particles.eta[first] > 0).mean() < 0.6
    counts, _ = np.histogram(out.particles.phi[first], bins=8, range=(-np.pi, np.pi))
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 24.3
    total = np.bincount(out.particles.event, out.particles.energy)
    assert total.max() < energy * (1 + 1e-4)


def test_redecay_keeps_the_rest_of_the_collision(library: decays.DecayLibrary) -> None:
    hard = HardEvents(
        Particles(
            np.array([0, 0, 1, 1]), np.array([511, 22, 521, 211]), np.array([90.0, 7.0, 90.0, 9.0]),
            np.zeros(4), np.zeros(4), np.array([90.2, 7.0, 90.2, 9.0]),
        ),
        2, 2, np.array([1.0, 2.0]),
    )  # fmt: skip
    out = decays.redecay(hard, library, 23.0, np.random.default_rng(2))
    assert out.events > 0
    for event in range(out.events):
        of_event = out.particles.pt[out.particles.event == event]
        assert (7.0 if out.truth_mass[event] == 1.0 else 9.0) in of_event
    assert not np.isin(out.particles.code, HEAVY_HADRONS).any()


def test_draws_turn_and_mirror_entries(pileup: pool.Pool) -> None:
    rng = np.random.default_rng(1)
    chosen = pool.draw(pileup, np.array([0, 3, 50]), rng)
    assert chosen.event.tolist() == [1] * 3 + [2] * 50
    assert 0 < chosen.mirror.sum() < 53
    assert np.abs(chosen.angle).max() > 2

    entry = int(np.argmax(np.diff(pileup.deposit_first)))
    straight = pool.Draw(np.array([0]), np.array([entry]), np.array([0.0]), np.array([False]))
    turned = straight._replace(angle=np.array([1.5]), mirror=np.array([True]))
    plain, moved = (pool.overlay_deposits(pileup, one) for one in (straight, turned))
    np.testing.assert_array_equal(moved.ring, grid.N_RINGS - 1 - plain.ring)
    np.testing.assert_allclose(moved.phi, plain.phi + 1.5)
    np.testing.assert_array_equal(moved.em, plain.em)


def test_track_sums_turn_with_the_tracks(pileup: pool.Pool) -> None:
    chosen = pool.draw(pileup, np.array([4, 9]), np.random.default_rng(3))
    tracks = pool.overlay_tracks(pileup, chosen)
    px, py = pool.overlay_track_sum(pileup, chosen, 2)
    expected_px = np.bincount(tracks.event, tracks.pt * np.cos(tracks.phi), minlength=2)
    expected_py = np.bincount(tracks.event, tracks.pt * np.sin(tracks.phi), minlength=2)
    np.testing.assert_allclose(px, expected_px)
    np.testing.assert_allclose(py, expected_py)


def test_underlying_event_is_busier_than_an_inelastic_collision(pileup: pool.Pool) -> None:
    underlying = pool.build_pool("underlying", 200, seed=5)
    tracks_each = [len(one.track_pt) / one.size for one in (underlying, pileup)]
    # the plateau of the underlying event: about twice the activity of a minimum-bias event
    assert 1.3 < tracks_each[0] / tracks_each[1] < 4.0


def test_pools_survive_storage(pileup: pool.Pool, tmp_path: Path) -> None:
    save_record(tmp_path / "pool.npz", pileup)
    back = load_record(tmp_path / "pool.npz", pool.Pool)
    for one, two in zip(pileup, back, strict=True):
        np.testing.assert_array_equal(one, two)
    assert [path.name for path in tmp_path.iterdir()] == ["pool.npz"]
