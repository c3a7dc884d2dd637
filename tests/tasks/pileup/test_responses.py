"""Responses: missing momentum by hand, jets by FastJet one particle at a time, resolutions."""

import fastjet
import numpy as np
import pytest

from l1distill.simulation.columns import DetectorObjects
from l1distill.tasks.pileup.events import Events, Generated, RecordedCandidates, WithoutPileup
from l1distill.tasks.pileup.responses import (
    Responses,
    ResponseSettings,
    cluster_jets,
    match,
    measure_responses,
    missing_momentum,
    ratio,
    spread,
    summarize,
)
from l1distill.tasks.pileup.weights import classical_weights


def _generated(seed: int, n_events: int, n: int) -> Generated:
    rng = np.random.default_rng(seed)
    size = n_events * n
    pt, eta = rng.exponential(4.0, size) + 0.5, rng.uniform(-3.0, 3.0, size)
    return Generated(
        event=np.repeat(np.arange(n_events), n),
        pt=pt,
        eta=eta,
        phi=rng.uniform(-np.pi, np.pi, size),
        energy=pt * np.cosh(eta),
    )


def test_missing_momentum_is_the_size_of_the_weighted_sum() -> None:
    objects = DetectorObjects(
        event=np.array([0, 0, 1, 2]),
        pt=np.array([3.0, 8.0, 5.0, 7.0]),
        eta=np.zeros(4),
        phi=np.array([0.0, np.pi / 2, 1.0, 2.0]),
    )
    weights = np.array([1.0, 0.5, 1.0, 0.0])
    np.testing.assert_allclose(missing_momentum(objects, weights, 4), [5.0, 5.0, 0.0, 0.0])


def test_jets_are_those_of_fastjet_one_particle_at_a_time() -> None:
    objects = _generated(1, 2, 80)
    weights = np.random.default_rng(2).choice([0.0, 0.5, 1.0], len(objects.event))
    jets = cluster_jets(objects, weights, 2, 0.4, 5.0)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, 0.4)
    for event in range(2):
        particles = [
            fastjet.PseudoJet(
                w * pt * np.cos(phi), w * pt * np.sin(phi), w * pt * np.sinh(eta), w * energy
            )
            for e, pt, eta, phi, energy, w in zip(
                objects.event.tolist(), objects.pt.tolist(), objects.eta.tolist(),
                objects.phi.tolist(), objects.energy.tolist(), weights.tolist(), strict=True,
            )
            if e == event and w > 0
        ]  # fmt: skip
        sequence = fastjet.ClusterSequence(particles, definition)
        expected = sorted(jet.pt() for jet in sequence.inclusive_jets(5.0))
        assert len(expected) > 3
        np.testing.assert_allclose(np.sort(jets.pt[jets.event == event]), expected, rtol=1e-6)


def test_a_jet_is_matched_to_the_nearest_of_its_event() -> None:
    def jets(event: list[int], eta: list[float]) -> DetectorObjects:
        zero = np.zeros(len(eta))
        return DetectorObjects(event=np.array(event), pt=zero, eta=np.array(eta), phi=zero)

    own, other = match(
        jets([0, 0, 1, 2], [0.0, 2.0, 0.0, 1.0]),
        jets([0, 0, 0, 1, 2], [0.3, 0.1, 1.9, 0.5, 1.0]),
        0.4,
    )
    assert own.tolist() == [0, 1, 3]
    assert other.tolist() == [1, 2, 4]


def test_resolution_is_half_the_distance_of_the_quartiles() -> None:
    rng = np.random.default_rng(0)
    n = 10_000
    values = rng.normal(-0.2, 0.1, n)
    summary = summarize(Responses(values=values, event=np.arange(n), n_events=n))
    quartile = 0.67449  # of the normal distribution
    assert summary.resolution == pytest.approx(quartile * 0.1, rel=0.04)
    assert summary.bias == pytest.approx(-0.2, abs=0.004)
    assert summary.corrected == pytest.approx(quartile * 0.1 / 0.8, rel=0.04)
    # the density at a quartile is 0.3178 / sigma; quartiles are correlated by a third
    expected = 0.5 * np.sqrt(2 * (3 / 16 - 1 / 16) / n) * 0.1 / 0.3178
    assert summary.error == pytest.approx(expected, rel=0.2)
    assert summary.number == n


def test_jets_of_one_event_are_resampled_together() -> None:
    """Twenty equal responses of one event say no more than one."""
    rng = np.random.default_rng(0)
    values, event = rng.normal(0.0, 0.1, 400), np.arange(400)
    once = summarize(Responses(values=values, event=event, n_events=400))
    often = summarize(
        Responses(values=np.repeat(values, 20), event=np.repeat(event, 20), n_events=400)
    )
    assert often.error == pytest.approx(once.error, rel=0.05)


def test_ratio_of_methods_on_the_same_events_is_sharper_than_each() -> None:
    rng = np.random.default_rng(0)
    values, event = rng.normal(0.0, 0.1, 400), np.arange(400)
    one = Responses(values=values, event=event, n_events=400)
    other = Responses(values=0.8 * values, event=event, n_events=400)
    value, error = ratio(other, one)
    assert value == pytest.approx(0.8)
    assert error < 1e-9
    assert summarize(one).error > 0.001
    with pytest.raises(ValueError, match="400 and of 3"):
        ratio(one, Responses(values=values, event=event, n_events=3))


def test_no_response_is_no_number() -> None:
    nothing = Responses(values=np.zeros(0), event=np.zeros(0, np.int64), n_events=5)
    assert np.isnan(summarize(nothing).resolution)


def test_weights_take_away_what_they_should() -> None:
    """Events whose pileup is known: of neutral and of charged particles."""
    own = _generated(3, 6, 120)
    extra = _generated(4, 6, 60)
    n, m = len(own.event), len(extra.event)
    both = Generated.concatenate([own, extra])
    charge = np.random.default_rng(1).integers(-1, 2, n + m)
    hard = np.arange(n + m) < n
    particles = RecordedCandidates(
        **{name: getattr(both, name) for name in ("event", "pt", "eta", "phi", "energy")},
        charge=charge,
        id=np.where(charge == 0, 1, 4),
        d0=np.zeros(n + m),
        dz=np.where(hard | (charge == 0), 0.0, 30.0),
        puppi=np.where(hard, 1.0, 0.25),
        hard_fraction=hard.astype(float),
    )
    order = np.argsort(particles.event, kind="stable")
    events = Events(
        numbers=np.zeros((6, 3), np.float32),
        particles=particles.take(order),
        without_pileup=WithoutPileup(
            **{name: getattr(own, name) for name in ("event", "pt", "eta", "phi", "energy")},
            charge=charge[:n],
            id=charge[:n],
        ),
        generated=own,
    )
    methods = classical_weights(1.0)
    kept = {name: weights(events).sum() for name, weights in methods.items()}
    neutral_extra = int((charge[n:] == 0).sum())
    assert kept == {"none": n + m, "chs": n + neutral_extra, "puppi": n + m / 4, "truth": n}
    settings = ResponseSettings(ptmiss_min=1.0, gen_jet_pt_min=10.0, jet_pt_min=8.0)
    responses = measure_responses([events, events], methods, settings)
    assert np.abs(responses["ptmiss"]["truth"].values).max() < 1e-9
    assert np.abs(responses["jet_pt"]["truth"].values).max() < 1e-9
    assert len(responses["jet_pt"]["truth"].values) > 20
    assert responses["jet_pt"]["none"].n_events == 12
    mean = {name: one.values.mean() for name, one in responses["jet_pt"].items()}
    assert mean["none"] > mean["chs"] > 0.01


def test_spread_is_a_resolution_that_every_jet_counts_in() -> None:
    values = np.array([-0.5, 0.1, 0.2, 0.25, 0.95])
    found = spread(Responses(values=values, event=np.arange(5), n_events=5))
    assert found == pytest.approx((0.7 + 0.1 + 0.0 + 0.05 + 0.75) / 5 / 1.2)
    nothing = Responses(values=np.zeros(0), event=np.zeros(0, np.int64), n_events=5)
    assert np.isnan(spread(nothing))
