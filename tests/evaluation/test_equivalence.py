"""Tests of equivalence and of difference, against those of SciPy and against simulation."""

import numpy as np
import pytest
from scipy import stats

from l1distill.evaluation.equivalence import bootstrap_difference, equivalence, permutation_p

RNG = np.random.default_rng(3)


def test_two_one_sided_t_tests() -> None:
    values = RNG.normal(0.01, 0.05, 30)
    found = equivalence(values, 0.03)
    above = stats.ttest_1samp(values, -0.03, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.03, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.p < 0.05) == (found.low > -0.03 and found.high < 0.03)


def test_the_power_is_how_often_the_same_is_found_to_be_the_same() -> None:
    deviation, bound, number = 0.05, 0.03, 30
    drawn = RNG.normal(0.0, deviation, (1500, number))
    often = np.mean([equivalence(values, bound).p < 0.05 for values in drawn])
    typical = drawn[0] - drawn[0].mean()
    typical *= deviation / typical.std(ddof=1)
    assert equivalence(typical, bound).power == pytest.approx(often, abs=0.04)
    assert equivalence(typical, 0.001).power == 0.0


def test_a_difference_is_judged_by_all_arrangements() -> None:
    one, other = [1.0, 2.0, 4.0], [3.0, 5.0, 6.0, 7.0]
    exact = stats.permutation_test(
        (one, other), lambda a, b: np.mean(a) - np.mean(b), n_resamples=np.inf
    )
    assert permutation_p(one, other) == pytest.approx(exact.pvalue)
    assert permutation_p([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]) == pytest.approx(0.1)
    many = RNG.normal(size=20)
    sampled = permutation_p(many[:10].tolist(), (many[10:] + 1.0).tolist())
    t = stats.ttest_ind(many[:10], many[10:] + 1.0).pvalue
    assert sampled == pytest.approx(t, abs=0.02)


def test_resampled_means_have_the_interval_of_their_error() -> None:
    one, other = RNG.normal(1.0, 0.2, 40), RNG.normal(0.0, 0.2, 40)
    low, high = bootstrap_difference(one.tolist(), other.tolist())
    error = np.hypot(one.std() / np.sqrt(40), other.std() / np.sqrt(40))
    middle = one.mean() - other.mean()
    assert (low, high) == pytest.approx((middle - 1.96 * error, middle + 1.96 * error), abs=0.02)
