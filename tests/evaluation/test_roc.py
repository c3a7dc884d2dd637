import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from l1distill.evaluation.roc import separation, separations, to_metrics


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
    background = np.arange(100_000, dtype=float)
    signal = np.array([0.0, 99_890.0, 99_950.0, 200_000.0])
    tpr = separation(background, signal).tpr
    # 1e-3 of 100,000 leaves a hundred background events: the threshold is at 99,900
    assert tpr["1e-3"].value == 0.5
    assert tpr["1e-4"].value == 0.25
    assert "1e-5" not in tpr, "one event is no measurement of a rate"


def test_the_interval_of_a_rate_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    background = rng.normal(size=20_000)
    threshold = np.quantile(background, 0.999)
    truth = norm.sf(threshold - 3.0)
    covered = []
    for _ in range(300):
        rate = separation(background, rng.normal(3.0, 1.0, 150)).tpr["1e-3"]
        covered.append(rate.low <= truth <= rate.high)
    assert 0.6 < np.mean(covered) < 0.76


def test_names_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    metrics = to_metrics(separations(rng.random(20_000), {"a_4l": rng.random(50)}))
    ends = ("", "_low", "_high")
    rates = {f"tpr_fpr{fpr}{end}/a_4l" for fpr in ("1e-2", "1e-3") for end in ends}
    assert set(metrics) == {"auc/a_4l", "auc_error/a_4l"} | rates


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="contains"):
        separation(np.array([0.1, bad]), np.array([0.5, 0.6]))
