import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from l1distill.models.evaluation import separation, separations, to_metrics


def test_auc_is_the_rank_statistic() -> None:
    rng = np.random.default_rng(1)
    background, signal = rng.normal(size=700), rng.normal(0.8, 1.0, 300)
    expected = mannwhitneyu(signal, background).statistic / (700 * 300)
    assert separation(background, signal).auc == pytest.approx(expected)


def test_the_error_of_the_auc_covers_repetitions() -> None:
    rng = np.random.default_rng(2)
    truth = norm.cdf(1.0 / np.sqrt(2.0))
    results = [separation(rng.normal(size=400), rng.normal(1.0, 1.0, 200)) for _ in range(200)]
    pulls = [(result.auc - truth) / result.auc_error for result in results]
    assert abs(np.mean(pulls)) < 0.25
    assert 0.8 < np.std(pulls) < 1.2


def test_tpr_at_a_working_point_is_counted() -> None:
    background = np.arange(10_000, dtype=float)
    signal = np.array([0.0, 9_980.0, 9_995.5, 20_000.0])
    tpr = separation(background, signal).tpr
    # 1e-3 of 10,000 leaves ten background events: the threshold is at 9990
    assert tpr["1e-3"] == 0.5
    assert tpr["1e-4"] == 0.25
    assert "1e-5" not in tpr, "one event in 100,000 cannot be seen in 10,000"


def test_names_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    metrics = to_metrics(separations(rng.random(2_000), {"a_4l": rng.random(50)}))
    assert set(metrics) == {"auc/a_4l", "auc_error/a_4l", "tpr_fpr1e-3/a_4l"}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="contains"):
        separation(np.array([0.1, bad]), np.array([0.5, 0.6]))
