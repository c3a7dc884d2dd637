"""A student against its teacher, compared with definitions, scikit-learn and SciPy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr, wasserstein_distance
from sklearn.metrics import roc_auc_score

from l1distill.evaluation.fidelity import (
    STUDENT,
    TEACHER,
    Fidelity,
    follow_teacher,
    without_student,
)
from l1distill.evaluation.resampling import Estimate, resample
from l1distill.evaluation.roc import separation
from l1distill.registry.intervals import interval_of

Scores = dict[str, NDArray[np.float64]]
BACKGROUND = "background"


def _pair(seed: int, noise: float = 0.7, events: int = 3_000) -> tuple[Scores, Scores]:
    rng = np.random.default_rng(seed)
    teacher = {
        BACKGROUND: rng.normal(size=events),
        "a_4l": rng.normal(1.5, 1.0, events // 6),
        "lq_btau": rng.normal(0.5, 1.3, events // 6),
    }
    # a few-bit output: many scores are equal
    student = {
        n: np.round(8.0 * (x + rng.normal(0.0, noise, len(x)))) / 8.0 for n, x in teacher.items()
    }
    return student, teacher


@pytest.fixture(scope="module")
def pair() -> tuple[Scores, Scores]:
    return _pair(0)


@pytest.fixture(scope="module")
def fidelity(pair: tuple[Scores, Scores]) -> Fidelity:
    return follow_teacher(*pair, BACKGROUND)


def _accepted(scores: Scores, sample: str, fpr: float) -> NDArray[np.bool_]:
    """By the definition: the lowest threshold of all that lets so few background events pass."""
    thresholds = np.unique(np.concatenate(list(scores.values())))
    low = min(t for t in thresholds if (scores[BACKGROUND] >= t).mean() <= fpr)
    return scores[sample] >= low


def test_agreement_and_tpr_ratio_are_what_their_names_say(
    pair: tuple[Scores, Scores], fidelity: Fidelity
) -> None:
    for name in pair[1]:
        student, teacher = (_accepted(scores, name, 1e-2) for scores in pair)
        agreement = (student & teacher).sum() / teacher.sum()
        assert fidelity.metrics[f"agreement_fpr1e-2/{name}"] == pytest.approx(agreement)
        if name != BACKGROUND:
            ratio = student.sum() / teacher.sum()
            assert fidelity.metrics[f"tpr_ratio_fpr1e-2/{name}"] == pytest.approx(ratio)
    assert not any("fpr1e-3" in name for name in fidelity.metrics), "three events are no rate"


def test_distances_are_those_of_scipy_and_scikit_learn(
    pair: tuple[Scores, Scores], fidelity: Fidelity
) -> None:
    student, teacher = pair
    for name in teacher:
        one, other = student[name], teacher[name]
        expected = {
            "rank_correlation": spearmanr(one, other).statistic,
            "wasserstein": wasserstein_distance(one, other),
            "mse_to_teacher_error": np.std((one - other) ** 2) / np.sqrt(len(one)),
        }
        if name != BACKGROUND:
            auc = [_auc(scores, name) for scores in pair]
            expected["auc_difference"] = auc[0] - auc[1]
        for quantity, value in expected.items():
            assert fidelity.metrics[f"{quantity}/{name}"] == pytest.approx(value), quantity


def _auc(scores: Scores, signal: str) -> float:
    labels = np.repeat([0, 1], [len(scores[BACKGROUND]), len(scores[signal])])
    return float(roc_auc_score(labels, np.concatenate([scores[BACKGROUND], scores[signal]])))


def test_a_logit_and_a_score_have_an_order_to_compare_and_no_distance(
    pair: tuple[Scores, Scores], fidelity: Fidelity
) -> None:
    """The error of the distance was that of a logit from a raw score: 0.004 +- 1500."""
    student, teacher = pair
    logits = {name: 1e6 * np.exp(scores) for name, scores in student.items()}
    found = follow_teacher(logits, teacher, BACKGROUND, same_scale=False).metrics
    distances = ("mse_to_teacher", "wasserstein")
    expected = {k: v for k, v in fidelity.metrics.items() if not k.startswith(distances)}
    assert found == pytest.approx(expected)


def test_gates_find_the_interval_of_every_metric(fidelity: Fidelity) -> None:
    values = [n for n in fidelity.metrics if not any(e in n for e in ("_error", "_low", "_high"))]
    assert len(values) == 2 + 2 + 3 + 3 + 3
    for name in values:
        interval = interval_of(fidelity.metrics, name)
        assert interval is not None, name
        assert 0 < interval.width < 0.5


def test_a_student_that_is_its_teacher_agrees_with_certainty() -> None:
    _, teacher = _pair(1)
    metrics = follow_teacher(teacher, teacher, BACKGROUND).metrics
    assert metrics["auc_difference/a_4l"] == metrics["auc_difference_error/a_4l"] == 0.0
    for name in ("agreement_fpr1e-2", "tpr_ratio_fpr1e-2"):
        assert {metrics[f"{name}{end}/a_4l"] for end in ("", "_low", "_high")} == {1.0}


def test_errors_of_paired_differences_cover_repetitions() -> None:
    """The differences scatter by the error of each, which is far below that of either AUC."""
    differences, errors, alone = [], [], []
    for seed in range(50):
        student, teacher = _pair(100 + seed, events=900)
        models = {TEACHER: teacher, STUDENT: student}
        auc = resample(models, BACKGROUND, [9])["a_4l"].auc
        difference = auc[STUDENT] - auc[TEACHER]
        differences.append(difference[0])
        errors.append(difference[1:].std())
        alone.append(auc[TEACHER][1:].std())
    assert np.std(differences) == pytest.approx(np.mean(errors), rel=0.3)
    assert np.mean(errors) < 0.8 * np.mean(alone)


def test_a_student_that_always_answers_the_same_has_no_rank() -> None:
    _, teacher = _pair(2)
    metrics = follow_teacher({n: np.zeros(len(x)) for n, x in teacher.items()}, teacher, BACKGROUND)
    assert "rank_correlation/a_4l" not in metrics.metrics
    assert metrics.metrics["agreement_fpr1e-2/a_4l"] == 0.0
    assert all(np.isfinite(value) for value in metrics.metrics.values())


def test_curves_are_those_of_the_roc_and_end_with_the_sample(
    pair: tuple[Scores, Scores], fidelity: Fidelity
) -> None:
    bands = fidelity.bands["a_4l"]
    assert bands.fpr[0] == pytest.approx(10 / 3_000)
    for model, scores in ((STUDENT, pair[0]), (TEACHER, pair[1])):
        roc = separation(scores[BACKGROUND], scores["a_4l"]).roc
        tpr = [roc.tpr[roc.fpr <= fpr + 1e-12].max() for fpr in bands.fpr]
        np.testing.assert_allclose(bands.tpr[model].value, tpr)
        assert (bands.tpr[model].low <= bands.tpr[model].value).all()
    assert bands.agreement is not None
    assert bands.agreement.value[-1] == 1.0
    alone = without_student(pair[1], BACKGROUND).bands["a_4l"]
    assert (alone.ratio, alone.agreement, set(alone.tpr)) == (None, None, {TEACHER})


def test_a_background_of_a_few_events_has_no_working_point() -> None:
    student, teacher = _pair(3, events=9 * 6)
    few = {name: scores[:9] for name, scores in student.items()}
    fidelity = follow_teacher(few, {n: s[:9] for n, s in teacher.items()}, BACKGROUND)
    assert fidelity.bands == {}
    assert "auc_difference/a_4l" in fidelity.metrics


def test_the_error_of_an_auc_is_that_of_the_formula(pair: tuple[Scores, Scores]) -> None:
    auc = resample({TEACHER: pair[1]}, BACKGROUND, [30])["a_4l"].auc[TEACHER]
    expected = separation(pair[1][BACKGROUND], pair[1]["a_4l"])
    assert auc[0] == pytest.approx(expected.auc)
    assert auc[1:].std() == pytest.approx(expected.auc_error, rel=0.35)


def test_what_cannot_be_measured_has_no_interval() -> None:
    replicas = np.array([[0.5, np.nan, 0.5], [0.4, 0.1, np.nan], [0.6, 0.2, 0.7]])
    estimate = Estimate.of(replicas)
    np.testing.assert_array_equal(np.isnan(estimate.value), [False, True, False])
    assert estimate.low[2] == 0.5
    assert estimate.high[2] == 0.7
