import numpy as np
import pytest
from scipy.stats import binomtest

from l1distill.evaluation.context import ScoreContext
from l1distill.evaluation.proportions import wilson
from l1distill.evaluation.rates import rate_curve, rate_metrics
from l1distill.evaluation.study_curves import study_curves
from l1distill.evaluation.trigger_study import study_scores
from l1distill.evaluation.trivial import rank_score, trivial_metrics, trivial_separations
from l1distill.evaluation.working_points import highest_refused
from l1distill.registry.intervals import interval_of
from l1distill.registry.reference import threshold_of

EVENTS = 20_000
SCORES = {"background": np.arange(float(EVENTS)), "a_4l": np.full(100, 19_995.0)}
EVERY_FOURTH = np.arange(EVENTS) % 4 == 0
CONTEXT = ScoreContext(
    background="background",
    input_rate_khz=40_000.0,
    trivial={
        "ht": {"background": np.arange(2_000.0), "a_4l": np.full(100, 1_500.0)},
        "leptons": {"background": np.arange(2_000.0), "a_4l": np.full(100, 1_990.5)},
    },
    triggers={
        "lepton_pt": {"background": EVERY_FOURTH, "a_4l": np.zeros(100, dtype=bool)},
        "met": {"background": np.zeros(EVENTS, dtype=bool), "a_4l": np.ones(100, dtype=bool)},
    },
)


def test_rates_are_counted_in_total_and_beside_the_reference_triggers() -> None:
    metrics = rate_metrics(SCORES, CONTEXT)
    assert metrics["working_point_fpr"] == 1e-3
    assert 19_979.0 < metrics["threshold_fpr1e-3"] <= 19_980.0
    assert metrics["rate_khz_fpr1e-2"] == pytest.approx(400.0)
    assert metrics["rate_khz_fpr1e-3"] == pytest.approx(40.0)
    assert metrics["pure_rate_khz_fpr1e-3"] == pytest.approx(30.0)
    assert metrics["reference_rate_khz/lepton_pt"] == pytest.approx(10_000.0)
    assert metrics["reference_rate_khz/met"] == 0.0
    for name in ("rate_khz_fpr1e-3", "pure_rate_khz_fpr1e-2", "reference_rate_khz/met"):
        assert interval_of(metrics, name) is not None, name


def test_a_rate_is_told_where_a_share_of_the_signal_is_kept() -> None:
    scores = {"background": np.arange(1000.0), "h_bb": np.arange(900.0, 1000.0)}
    context = ScoreContext(background="background", input_rate_khz=30.0, efficiencies=(50, 80))
    metrics = rate_metrics(scores, context)
    assert metrics["rate_khz_at_50/h_bb"] == pytest.approx(30.0 * 50 / 1000)  # from 950 on
    assert metrics["rate_khz_at_80/h_bb"] == pytest.approx(30.0 * 80 / 1000)
    assert interval_of(metrics, "rate_khz_at_80/h_bb") is not None


@pytest.mark.parametrize(("passed", "events"), [(0, 50), (7, 50), (50, 50), (20, 20_000)])
def test_the_ends_of_an_interval_are_one_standard_error_from_the_share(
    passed: int, events: int
) -> None:
    """Of the error that the share would have if the end were true: how Wilson defines them."""
    for ends in wilson([passed, passed], events):
        for p in ends:
            distance = abs(passed / events - p)
            assert distance == pytest.approx(1.00064 * np.sqrt(p * (1 - p) / events), rel=1e-4)


def test_intervals_are_scipys_to_the_bit() -> None:
    passed, events = np.meshgrid([0, 1, 3, 8, 97, 4_999, 10_000], [10_000, 12_345, 10**7])
    expected = [
        binomtest(k, n).proportion_ci(0.683, method="wilson")
        for k, n in zip(passed.ravel(), events.ravel(), strict=True)
    ]
    assert [*zip(*(ends.ravel() for ends in wilson(passed, events)), strict=True)] == expected


def test_a_share_counts_events_whatever_the_rounding_of_the_product() -> None:
    """0.29 x 100 is 28.999999999999996 in floating point."""
    ranked = np.arange(100.0)
    assert (ranked > highest_refused(ranked, 0.29)).sum() == 29
    assert threshold_of(ranked[::-1, None], 0.29) == 70.0


def test_the_curve_of_the_rate_ends_where_the_sample_ends() -> None:
    curve = rate_curve(SCORES, CONTEXT)
    assert curve is not None
    assert (curve.threshold[0], curve.threshold[-1]) == (0.0, 19_990.0)
    assert curve.total[0][0] == pytest.approx(40_000.0)
    assert curve.total[0][-1] == pytest.approx(20.0)
    assert curve.pure[0][0] == pytest.approx(30_000.0)
    assert np.isnan(curve.pure[0][-1]), "seven events are left that no trigger takes"
    assert rate_curve({"background": np.arange(19.0)}, CONTEXT) is None


def test_curves_over_the_threshold_are_what_is_counted_there() -> None:
    """Rates in total and pure; of the teacher's accepted events those that the student accepts."""
    rng = np.random.default_rng(3)
    student = {
        name: scores + rng.normal(0.0, 300.0, len(scores)) for name, scores in SCORES.items()
    }
    study = study_scores(student, CONTEXT, SCORES)
    curves = study_curves(study)
    assert {family: list(named) for family, named in curves.items()} == {
        "rate": ["total", "pure"],
        "agreement": ["background", "a_4l"],
    }
    background = student["background"]
    for name, free in (("total", np.ones(EVENTS, bool)), ("pure", ~EVERY_FOURTH)):
        curve = curves["rate"][name]
        for threshold, rate in list(zip(curve.x, curve.y, strict=True))[::9]:
            share = np.mean((background >= threshold) & free)
            assert rate == pytest.approx(40_000.0 * share)
    for name in SCORES:
        curve = curves["agreement"][name]
        assert (np.diff(curve.x) > 0).all()
        for threshold, agreement in list(zip(curve.x, curve.y, strict=True))[::9]:
            accepted = int((background >= threshold).sum())
            taught = SCORES[name] > EVENTS - 1 - accepted
            both = taught & (student[name] >= threshold)
            assert agreement == pytest.approx(both.sum() / taught.sum())
    assert "agreement" not in {
        k for k, v in study_curves(study_scores(SCORES, CONTEXT)).items() if v
    }


def test_without_reference_triggers_nothing_is_pure() -> None:
    metrics = rate_metrics(SCORES, ScoreContext(background="background", input_rate_khz=1.0))
    assert not any("pure" in name for name in metrics)


def test_the_best_of_the_trivial_scores_is_a_metric_of_its_own() -> None:
    metrics = trivial_metrics(trivial_separations(CONTEXT))
    assert metrics["trivial/ht/auc/a_4l"] == pytest.approx(1_500.5 / 2_000)
    assert metrics["trivial/best/auc/a_4l"] == metrics["trivial/leptons/auc/a_4l"] > 0.99
    assert metrics["trivial/best/auc_error/a_4l"] == metrics["trivial/leptons/auc_error/a_4l"]
    assert metrics["trivial/best/tpr_fpr1e-2/a_4l"] == 1.0
    assert metrics["trivial/ht/tpr_fpr1e-2/a_4l"] == 0.0


def test_answers_with_a_second_axis_are_scores_too() -> None:
    answers = {name: scores[:, None] for name, scores in SCORES.items()}
    study = study_scores(answers, CONTEXT)
    assert study.metrics == study_scores(SCORES, CONTEXT).metrics
    assert study.summary == (
        "40 kHz, 30 kHz of it pure, at FPR 1e-3 and an assumed input rate of 40000 kHz"
    )
    with pytest.raises(ValueError, match="reshape"):
        study_scores({"background": np.zeros((10, 2))}, CONTEXT)


def test_the_rank_score_of_an_exponential_is_itself() -> None:
    background = np.random.default_rng(0).exponential(size=100_000)
    values = np.array([0.5, 2.0, 4.0, 6.0, 12.0])
    np.testing.assert_allclose(rank_score(values, background), values, rtol=0.08)


def test_the_rank_score_keeps_the_order() -> None:
    rng = np.random.default_rng(1)
    background = np.round(rng.exponential(2.0, 5_000))
    values = np.arange(0.0, 60.0)
    ranks = rank_score(values, background)
    assert (np.diff(ranks) >= 0).all()
    assert np.isfinite(ranks).all()
    assert ranks[0] == 0.0
    first, last = rank_score(np.array([3.0, 4.0]), np.full(100, 3.0))
    assert first < last
    with pytest.raises(ValueError, match="no background"):
        rank_score(values, np.zeros(0))
