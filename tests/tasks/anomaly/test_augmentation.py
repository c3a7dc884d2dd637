"""Pseudo-events are in the event format, and differ from the background in what they should."""

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse
from l1distill.stages.student import STAGE
from l1distill.tasks.anomaly.augmentation import KINDS, PseudoEventSettings, pseudo_events
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, LEPTONS, MET, MUONS
from l1distill.tasks.anomaly.task import TASK

NOTHING = PseudoEventSettings(overlaid=0, added_max=0, pt_spread=0, rotated=False)


@pytest.fixture(scope="module")
def events() -> NDArray[np.float32]:
    """One electron or muon and up to three jets, pT above 23 or 20 GeV, sorted."""
    rng = np.random.default_rng(3)
    made = np.zeros((400, 19, 3), np.float32)
    made[:, MET] = np.stack(
        [rng.exponential(30.0, 400), np.zeros(400), rng.uniform(-np.pi, np.pi, 400)], axis=1
    )
    lepton = np.where(rng.random(400) < 0.5, ELECTRONS.start, MUONS.start)
    made[np.arange(400), lepton, 0] = 23.0 + rng.exponential(15.0, 400)
    jets = 20.0 + rng.exponential(30.0, (400, 3)) * 1.0
    jets[rng.random((400, 3)) < 0.5] = 0.0
    made[:, 9:12, 0] = -np.sort(-jets, axis=1)
    there = made[..., 0] > 0
    made[..., 1] = np.where(there, rng.uniform(-2.0, 2.0, (400, 19)), 0.0)
    made[:, MET, 1] = 0.0
    made[..., 2] = np.where(there, rng.uniform(-np.pi, np.pi, (400, 19)), 0.0)
    return made


def _make(
    events: NDArray[np.float32], settings: PseudoEventSettings, number: int = 1000, seed: int = 1
) -> NDArray[np.float32]:
    return pseudo_events(events, number, settings, np.random.default_rng(seed))


def _invariants(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """What neither rotations nor reflections change, sorted over events."""
    pt, eta, phi = (events[..., i].astype(np.float64) for i in range(3))
    values = np.stack(
        [pt.sum(axis=1), np.abs(eta).sum(axis=1), np.cos(phi[:, 9] - phi[:, 10]) * (pt[:, 10] > 0)]
    )
    return np.sort(values, axis=1)


def test_they_are_in_the_event_format(events: NDArray[np.float32]) -> None:
    made = _make(events, PseudoEventSettings())
    assert made.shape == (1000, 19, 3)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    absent = made[..., 0] == 0.0
    assert (made[absent] == 0.0).all()
    assert (np.abs(made[..., 2]) <= np.float32(np.pi)).all()
    assert (made[:, MET, 1] == 0.0).all()
    for kind in KINDS.values():
        pt = made[:, kind, 0]
        assert (np.diff(pt, axis=1) <= 0).all(), "sorted by falling pT"
        smallest = events[:, kind, 0][events[:, kind, 0] > 0].min()
        assert pt[pt > 0].min() >= smallest
        assert (pt > 0).sum(axis=1).max() > (events[:, kind, 0] > 0).sum(axis=1).max()


def test_nothing_is_done_where_nothing_is_asked_for(events: NDArray[np.float32]) -> None:
    made = _make(events, NOTHING, number=len(events))
    np.testing.assert_array_equal(np.sort(made[:, MET, 0]), np.sort(events[:, MET, 0]))
    np.testing.assert_array_equal(_invariants(made), _invariants(events))


def test_rotations_and_reflections_keep_what_does_not_depend_on_them(
    events: NDArray[np.float32],
) -> None:
    made = _make(events, NOTHING.model_copy(update={"rotated": True}), number=len(events))
    assert not np.isin(made[:, MET, 2], events[:, MET, 2]).any()
    np.testing.assert_allclose(_invariants(made), _invariants(events), atol=1e-4)


def test_overlaid_events_have_the_objects_and_the_met_of_both(
    events: NDArray[np.float32],
) -> None:
    two = events[:2]
    made = _make(two, NOTHING.model_copy(update={"overlaid": 1.0}), number=200)

    def met(event: NDArray[np.float32]) -> complex:
        return complex(event[MET, 0] * np.exp(1j * event[MET, 2]))

    sums = {
        (n, m): n * met(two[0]) + m * met(two[1]) for n in range(4) for m in range(4) if n + m <= 3
    }
    for event in made:
        counts = min(sums, key=lambda pair: abs(sums[pair] - met(event)))
        assert abs(sums[counts] - met(event)) < 1e-3
        assert 2 <= sum(counts) <= 3
        leptons = [sum(np.count_nonzero(e[LEPTONS, 0]) for e in two[:1]) * counts[0]]
        leptons.append(np.count_nonzero(two[1][LEPTONS, 0]) * counts[1])
        assert np.count_nonzero(event[LEPTONS, 0]) == sum(leptons)


def test_added_objects_follow_the_power_of_their_threshold(events: NDArray[np.float32]) -> None:
    jets_only = events.copy()
    jets_only[:, LEPTONS] = 0.0
    settings = NOTHING.model_copy(update={"added_max": 1, "added_power": (0.0, 0.0)})
    made = _make(jets_only, settings)
    grown = np.count_nonzero(made[:, JETS, 0], axis=1)
    threshold = events[:, JETS, 0][events[:, JETS, 0] > 0].min()
    at_threshold = (made[:, JETS, 0] == threshold).any(axis=1)
    assert 0.4 < at_threshold.mean() < 0.6, "none or one"
    assert grown[at_threshold].min() >= 1
    assert not made[:, LEPTONS].any(), "there is no lepton to take"


def test_pt_is_scaled_event_by_event(events: NDArray[np.float32]) -> None:
    made = _make(events, NOTHING.model_copy(update={"pt_spread": 0.5}), number=4000)
    spread = np.log(made[:, MET, 0]).std() ** 2 - np.log(events[:, MET, 0]).std() ** 2
    assert spread == pytest.approx(0.25, abs=0.08)


def test_the_same_seed_makes_the_same_events(events: NDArray[np.float32]) -> None:
    settings = PseudoEventSettings()
    first, again, other = (_make(events, settings, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(_make(events, settings, number=0)) == 0


def test_settings_are_those_of_the_configuration() -> None:
    composed = to_plain(compose_stage("student", ["augmentation.overlaid=0.5"]).config)
    settings = parse(STAGE.settings_for(TASK, composed), composed)
    assert settings.augmentation == PseudoEventSettings(overlaid=0.5)  # type: ignore[attr-defined]
    composed["augmentation"]["added_power"] = [1.3, 0.3]
    with pytest.raises(ConfigError, match=r"^augmentation.added_power=.*: give two numbers"):
        parse(STAGE.settings_for(TASK, composed), composed)
