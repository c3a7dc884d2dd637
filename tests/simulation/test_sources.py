"""Where particles come from: hard scatters, the decay library, the pools."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.simulation import decays, grid, pool
from l1distill.simulation.decays import HEAVY_HADRONS
from l1distill.simulation.hard import HardEvents, Veto, generate_hard
from l1distill.simulation.kinematics import wrap_phi
from l1distill.simulation.particles import Particles
from l1distill.simulation.pythia import MINIMUM_BIAS, UNDERLYING_EVENT, Process, build_pythia
from l1distill.simulation.storage import load_record, save_record

ENERGY = 13_000.0
W = Process(
    commands=("WeakSingleBoson:ffbar2W = on", "24:onMode = off", "24:onIfAny = 11 13 15"),
    resonance=24,
).without_mpi()
Z = Process(commands=("WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 13"))


@pytest.fixture(scope="module")
def pileup() -> pool.Pool:
    return pool.build_pool(MINIMUM_BIAS, 200, collision_energy=ENERGY, seed=5)


@pytest.fixture(scope="module")
def library() -> decays.DecayLibrary:
    return decays.build_library(300, collision_energy=ENERGY, seed=5)


def hardest_lepton(particles: Particles, events: int) -> np.ndarray:
    lepton = ((particles.code == 11) | (particles.code == 13)) & (np.abs(particles.eta) < 2.5)
    hardest = np.zeros(events)
    np.maximum.at(hardest, particles.event[lepton], particles.pt[lepton])
    return hardest


def test_veto_drops_nothing_that_could_pass() -> None:
    # a smeared lepton above 23 GeV has at least 20 GeV: such events must be as frequent with
    # the veto as without it, and the veto must be worth having
    rates, errors, shares = [], [], []
    leptons = Veto(codes=frozenset((11, 13, 15)), pt_min=0.8 * 23.0, eta_max=2.7)
    for veto in (leptons, None):
        stream = generate_hard(W, collision_energy=ENERGY, seed=17, veto=veto)
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
        next(
            generate_hard(Z.without_mpi(), collision_energy=ENERGY, seed=seed, batch=5)
        ).particles.pt
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert len(one) != len(three) or (one != three).any()


def test_truth_mass_is_that_of_the_resonance() -> None:
    events = next(generate_hard(W, collision_energy=ENERGY, seed=3, batch=40))
    assert np.median(events.truth_mass) == pytest.approx(80.4, abs=2.0)
    assert (events.tried, events.events) == (40, 40)


@pytest.mark.parametrize("energy", [13_000.0, 14_000.0])
def test_collisions_have_the_energy_asked_for(energy: float) -> None:
    """The stable particles of a collision, also those along the beam, share its energy."""
    pythia = build_pythia(("SoftQCD:nonDiffractive = on",), collision_energy=energy, seed=1)
    assert pythia.next()
    total = sum(
        pythia.event[i].e() for i in range(pythia.event.size()) if pythia.event[i].isFinal()
    )
    assert total == pytest.approx(energy, rel=1e-4)


def test_pythia_refuses_an_unknown_setting() -> None:
    with pytest.raises(RuntimeError, match="NoSuch:setting"):
        build_pythia(("NoSuch:setting = on",), collision_energy=ENERGY, seed=1)


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
        event=np.arange(number),
        code=np.full(number, 521),
        pt=pt * full,
        eta=eta * full,
        phi=phi,
        energy=energy * full,
    )
    hard = HardEvents(
        particles=hadrons,
        events=number,
        tried=3 * number,
        truth_mass=np.full(number, np.nan),
    )
    out = decays.redecay(hard, library, 23.0, np.random.default_rng(1))
    assert out.tried == 3 * number * decays.TRIES
    assert 0.05 < out.events / (number * decays.TRIES) < 0.9
    assert (hardest_lepton(out.particles, out.events) > 0.85 * 23).all()
    # a boost of 15 keeps the products together; the event as a whole may point anywhere in phi
    first = np.searchsorted(out.particles.event, np.arange(out.events))
    axis = first[out.particles.event]
    apart = wrap_phi(out.particles.phi - out.particles.phi[axis])
    assert np.median(np.abs(apart[np.arange(len(apart)) != axis])) < 0.2
    assert np.median(np.abs(out.particles.eta)) == pytest.approx(1.2, abs=0.05)
    assert 0.4 < (out.particles.eta[first] > 0).mean() < 0.6
    counts, _ = np.histogram(out.particles.phi[first], bins=8, range=(-np.pi, np.pi))
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 24.3
    total = np.bincount(out.particles.event, out.particles.energy)
    assert total.max() < energy * (1 + 1e-4)


def test_redecay_keeps_the_rest_of_the_collision(library: decays.DecayLibrary) -> None:
    hard = HardEvents(
        particles=Particles(
            event=np.array([0, 0, 1, 1]),
            code=np.array([511, 22, 521, 211]),
            pt=np.array([90.0, 7.0, 90.0, 9.0]),
            eta=np.zeros(4),
            phi=np.zeros(4),
            energy=np.array([90.2, 7.0, 90.2, 9.0]),
        ),
        events=2,
        tried=2,
        truth_mass=np.array([1.0, 2.0]),
    )
    out = decays.redecay(hard, library, 23.0, np.random.default_rng(2))
    assert out.events > 0
    for event in range(out.events):
        of_event = out.particles.pt[out.particles.event == event]
        assert (7.0 if out.truth_mass[event] == 1.0 else 9.0) in of_event
    assert not np.isin(out.particles.code, HEAVY_HADRONS).any()


def test_stocks_say_how_far_they_are() -> None:
    fractions: list[float] = []
    pool.build_pool(MINIMUM_BIAS, 260, collision_energy=ENERGY, seed=5, progress=fractions.append)
    assert fractions == [250 / 260, 1.0]
    fractions.clear()
    decays.build_library(20, collision_energy=ENERGY, seed=5, progress=fractions.append)
    assert len(fractions) == len(HEAVY_HADRONS)
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1.0


def test_draws_turn_and_mirror_entries(pileup: pool.Pool) -> None:
    rng = np.random.default_rng(1)
    drawn = pool.draw(pileup, np.array([0, 3, 50]), rng)
    assert drawn.event.tolist() == [1] * 3 + [2] * 50
    assert 0 < drawn.mirror.sum() < 53
    assert np.abs(drawn.angle).max() > 2

    entry = int(np.argmax(np.diff(pileup.deposit_first)))
    straight = pool.Draw(
        event=np.array([0]),
        entry=np.array([entry]),
        angle=np.array([0.0]),
        mirror=np.array([False]),
    )
    turned = replace(straight, angle=np.array([1.5]), mirror=np.array([True]))
    plain, moved = (pool.overlay_deposits(pileup, one) for one in (straight, turned))
    np.testing.assert_array_equal(moved.ring, grid.N_RINGS - 1 - plain.ring)
    np.testing.assert_allclose(moved.phi, plain.phi + 1.5)
    np.testing.assert_array_equal(moved.em, plain.em)


def test_track_sums_turn_with_the_tracks(pileup: pool.Pool) -> None:
    drawn = pool.draw(pileup, np.array([4, 9]), np.random.default_rng(3))
    tracks = pool.overlay_tracks(pileup, drawn)
    px, py = pool.overlay_track_sum(pileup, drawn, 2)
    expected_px = np.bincount(tracks.event, tracks.pt * np.cos(tracks.phi), minlength=2)
    expected_py = np.bincount(tracks.event, tracks.pt * np.sin(tracks.phi), minlength=2)
    np.testing.assert_allclose(px, expected_px)
    np.testing.assert_allclose(py, expected_py)


def test_underlying_event_is_busier_than_an_inelastic_collision(pileup: pool.Pool) -> None:
    underlying = pool.build_pool(UNDERLYING_EVENT, 200, collision_energy=ENERGY, seed=5)
    tracks_each = [len(one.track_pt) / one.size for one in (underlying, pileup)]
    # the plateau of the underlying event: about twice the activity of a minimum-bias event
    assert 1.3 < tracks_each[0] / tracks_each[1] < 4.0


def test_pools_survive_storage(pileup: pool.Pool, tmp_path: Path) -> None:
    save_record(tmp_path / "pool.npz", pileup)
    back = load_record(tmp_path / "pool.npz", pool.Pool)
    for field in fields(pool.Pool):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(pileup, field.name))
    assert [path.name for path in tmp_path.iterdir()] == ["pool.npz"]
