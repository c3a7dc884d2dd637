"""Drift against what is known of it: exact indices, asymptotic distributions, SciPy."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from l1distill.evaluation.drift import (
    difference,
    ks_distance,
    rate_change,
    stability_index,
)
from l1distill.evaluation.monitoring import DriftLimits, compare_with_reference


def test_the_index_is_the_known_one_of_two_gaussians() -> None:
    rng = np.random.default_rng(1)
    reference, new = rng.normal(size=200_000), rng.normal(0.5, size=200_000)
    edges = [-math.inf, *norm.ppf(np.arange(1, 10) / 10), math.inf]
    p, q = (np.diff(norm.cdf(edges, loc=mean)) for mean in (0.0, 0.5))
    exact = float(((q - p) * np.log(q / p)).sum())
    found = stability_index(reference, new)
    assert found.value == pytest.approx(exact, abs=4 * found.error)
    assert found.error < 0.005
    assert found.p_value < 1e-100


def test_errors_are_the_spread_of_repetitions_and_estimates_have_no_bias() -> None:
    rng = np.random.default_rng(2)
    found = [difference(rng.normal(size=800), rng.normal(0.5, size=400)) for _ in range(150)]
    psi = np.array([one.psi.value for one in found])
    ks = np.array([one.ks.value for one in found])
    assert np.mean([one.psi.error for one in found]) == pytest.approx(psi.std(), rel=0.25)
    assert np.mean([one.ks.error for one in found]) == pytest.approx(ks.std(), rel=0.25)
    assert psi.mean() == pytest.approx(0.2423, abs=0.02), "of ten bins, from 400,000 events"
    assert ks.mean() == pytest.approx(2 * norm.cdf(0.25) - 1, abs=0.03)


def test_without_drift_p_values_are_flat() -> None:
    rng = np.random.default_rng(3)
    found = [difference(rng.normal(size=500), rng.normal(size=300)) for _ in range(300)]
    for values in ([one.psi.p_value for one in found], [one.ks.p_value for one in found]):
        for level in (0.1, 0.5):
            share = float(np.mean(np.array(values) < level))
            assert share == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 300))


def test_numbers_that_are_mostly_zero_or_all_the_same() -> None:
    rng = np.random.default_rng(4)
    absent = [rng.normal(size=500) * (rng.random(500) < 0.05) for _ in range(2)]
    assert difference(*absent).psi.value < 0.1
    same = difference(np.zeros(50), np.zeros(30))
    assert (same.psi.value, same.psi.p_value, same.ks.value) == (0.0, 1.0, 0.0)
    apart = difference(np.zeros(50), np.ones(30))
    assert apart.psi.value > 5
    assert apart.ks.value == 1.0
    with pytest.raises(ValueError, match="an empty sample"):
        difference(np.zeros(0), np.zeros(3))


def test_the_distance_is_that_of_the_cumulative_distributions() -> None:
    reference, new = np.array([0.0, 1, 2, 3]), np.array([2.0, 3, 4, 5])
    found = ks_distance(reference, new)
    assert found.value == 0.5
    assert found.error == pytest.approx(math.sqrt(0.25 / 4))


def test_a_rate_has_its_interval_and_its_factor() -> None:
    change = rate_change((10, 60), (1000, 1000))
    assert (change.reference, change.new) == (0.01, 0.06)
    assert change.low == pytest.approx(0.0529, abs=1e-4)
    assert change.high == pytest.approx(0.0680, abs=1e-4)
    assert change.ratio == pytest.approx(60.5 / 10.5)
    assert change.log_error == pytest.approx(math.sqrt(1 / 10.5 + 1 / 60.5 - 2 / 1001))
    assert change.p_value < 1e-8
    assert rate_change((0, 0), (20, 50)).p_value == 1.0


def _sample(rng: np.random.Generator, events: int, shift: float) -> dict[str, np.ndarray]:
    inputs = rng.normal(shift, size=(events, 3))
    inputs[:, 2] = 0.0
    return {"inputs": inputs, "scores": inputs[:, :1]}


@pytest.mark.parametrize(
    ("events", "shift", "alarm"),
    [
        (2000, 1.0, True),
        (2000, 0.0, False),
        (20_000, 0.15, False),  # significant, but small
        (12, 1.0, False),  # large, but not significant
    ],
)
def test_an_alarm_is_large_and_significant(events: int, shift: float, alarm: bool) -> None:
    rng = np.random.default_rng(5)
    reference, new = _sample(rng, 4000, 0.0), _sample(rng, events, shift)
    threshold = float(np.quantile(reference["scores"], 0.99))
    report = compare_with_reference(reference, new, ["a", "b", "zero"], threshold, DriftLimits())
    assert bool(report.drifted) is alarm
    assert {finding.what for finding in report.findings} == {"rate", "score", "a", "b"}
    measured = report.to_metrics(input_rate_khz=100.0)
    assert measured["drift/events_new"] == events
    assert measured["drift/rate_khz_new"] == pytest.approx(
        100.0 * (new["scores"] > threshold).mean()
    )
    if shift == 0.15:
        assert min(finding.p_value for finding in report.outputs) < 1e-10


def test_a_student_of_several_outputs_has_no_rate() -> None:
    rng = np.random.default_rng(6)
    reference = {"inputs": rng.normal(size=(50, 2)), "scores": rng.normal(size=(50, 4))}
    report = compare_with_reference(reference, reference, ["a", "b"], None, DriftLimits())
    assert report.rate is None
    assert [finding.what for finding in report.outputs[::2]] == [f"score {n}" for n in range(4)]
    assert not [name for name in report.to_metrics() if "rate" in name]
