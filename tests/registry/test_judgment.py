"""What a gate may ask for beside a bound, and what a verdict says."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from l1distill.evaluation.roc import separation, to_metrics
from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.intervals import Interval, interval_of
from l1distill.registry.judgment import Verdict, judge

METRICS = {
    "auc/a_4l": 0.85,
    "auc_error/a_4l": 0.02,
    "tpr_fpr1e-3/a_4l": 0.30,
    "tpr_fpr1e-3_low/a_4l": 0.27,
    "tpr_fpr1e-3_high/a_4l": 0.34,
    "rate_khz_fpr1e-3": 28.0,
    "firmware/mismatches": 0.0,
    "firmware/verified_events": 12_000.0,
    "firmware/lut": 4000.0,
    "firmware/slack_ns_estimate": 0.5,
    "resolution/ptmiss/student": 18.0,
    "resolution/ptmiss/puppi": 20.0,
}

OF_TEACHER = {"metric": "auc/a_4l", "relative_to": "teacher", "relation": "difference"}


def _evidence(**changes: object) -> Evidence:
    content = {
        "content_sha256": "a",
        "dataset_md5": "d",
        "metrics": METRICS,
        "teacher_metrics": {"auc/a_4l": 0.90, "auc_error/a_4l": 0.015},
        **changes,
    }
    return Evidence(**content)  # type: ignore[arg-type]


def _judge(
    champion: Evidence | None = None, evidence: Evidence | None = None, **gate: object
) -> Verdict:
    (verdict,) = judge({"g": Gate.model_validate(gate)}, evidence or _evidence(), champion)
    return verdict


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"metric": "auc/a_4l", "min": 0.83, "sigmas": 1}, ""),  # 0.83 to 0.87: at the bound
        (
            {"metric": "auc/a_4l", "min": 0.84, "sigmas": 1},
            "its interval of 1 sigma, 0.83 to 0.87, crosses 0.84",
        ),
        (
            {"metric": "auc/a_4l", "min": 0.8, "sigmas": 3},
            "its interval of 3 sigma, 0.79 to 0.91, crosses 0.8",
        ),
        ({"metric": "auc/a_4l", "min": 0.86, "sigmas": 1}, "0.85 is below 0.86"),
        ({"metric": "auc/a_4l", "min": 0.8, "max_width": 0.041}, ""),
        (
            {"metric": "auc/a_4l", "min": 0.8, "max_width": 0.03},
            "its interval is 0.04 wide, wider than 0.03",
        ),
        (
            {"metric": "tpr_fpr1e-3/a_4l", "min": 0.28, "sigmas": 1},
            "its interval of 1 sigma, 0.27 to 0.34, crosses 0.28",
        ),
        (
            {"metric": "tpr_fpr1e-3/a_4l", "max": 0.33, "sigmas": 1},
            "its interval of 1 sigma, 0.27 to 0.34, crosses 0.33",
        ),
        ({"metric": "rate_khz_fpr1e-3", "max": 30}, ""),
        ({"metric": "rate_khz_fpr1e-3", "max": 25}, "28 is above 25"),
        (
            {"metric": "rate_khz_fpr1e-3", "max": 30, "sigmas": 0},
            "rate_khz_fpr1e-3 has no interval, and the gate asks for one",
        ),
        ({"metric": "firmware/mismatches", "max": 0, "vectors": 12_000}, ""),
        (
            {"metric": "firmware/mismatches", "max": 0, "vectors": 20_000},
            "12,000 events were compared, fewer than 20,000",
        ),
        ({"metric": "firmware/lut", "max": 5000, "provenance": "measured"}, ""),
        (
            {"metric": "firmware/slack_ns_estimate", "min": 0, "provenance": "measured"},
            "firmware/slack_ns_estimate is an estimate and has to be measured",
        ),
        ({**OF_TEACHER, "min": -0.06}, ""),
        (
            {**OF_TEACHER, "min": -0.04},
            "0.85 is below 0.86",
        ),
        # the errors of both: 0.025 about 0.85, with the bound at 0.84
        (
            {**OF_TEACHER, "min": -0.06, "sigmas": 1},
            "its interval of 1 sigma, 0.825 to 0.875, crosses 0.84",
        ),
        ({"metric": "auc/a_4l", "min": 0.9, "relative_to": "teacher"}, ""),
        ({"metric": "auc/a_4l", "min": 0.95, "relative_to": "teacher"}, "0.85 is below 0.855"),
        (
            {
                "metric": "resolution/ptmiss/student",
                "max": 0.85,
                "relative_to": "candidate",
                "reference_metric": "resolution/ptmiss/puppi",
            },
            "18 is above 17",
        ),
        (
            {"metric": "firmware/lut", "max": 1, "relative_to": "teacher"},
            "firmware/lut of the teacher was not measured",
        ),
    ],
)
def test_a_gate_asks_for_more_than_a_value(gate: dict[str, object], reason: str) -> None:
    verdict = _judge(**gate)
    assert (verdict.reason, verdict.passed) == (reason, not reason)


def test_figures_of_the_report_that_are_estimates_are_known_by_name() -> None:
    gate = {"metric": "firmware/lut", "max": 5000, "provenance": "measured"}
    verdict = _judge(evidence=_evidence(estimates=("firmware/lut",)), **gate)
    assert verdict.reason == "firmware/lut is an estimate and has to be measured"


def test_relative_to_the_champion_needs_none_the_first_time() -> None:
    gate = {"metric": "firmware/lut", "max": 1.1, "relative_to": "champion"}
    first = _judge(**gate)
    assert first.passed
    assert first.reason == "there is no champion to compare with"
    smaller = _evidence(metrics={"firmware/lut": 3000.0})
    assert _judge(smaller, **gate).reason == "4000 is above 3300"
    assert _judge(_evidence(), **gate).passed
    missing = _evidence(metrics={})
    assert _judge(missing, **gate).reason == "firmware/lut of the champion was not measured"


def test_a_verdict_says_value_interval_bounds_and_margin() -> None:
    verdict = _judge(metric="auc/a_4l", min=-0.06, relative_to="teacher", relation="difference")
    assert verdict.value == 0.85
    assert verdict.interval == Interval(low=pytest.approx(0.83), high=pytest.approx(0.87))
    assert verdict.threshold == "≥ teacher - 0.06"
    assert (verdict.min, verdict.max) == (pytest.approx(0.84), None)
    assert verdict.margin == pytest.approx(0.01)
    assert _judge(metric="firmware/lut", min=1, max=4100).margin == 100
    assert _judge(metric="firmware/lut", max=3900).margin == -100
    assert _judge(metric="nothing", max=1).margin is None


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"min": 2, "max": 1}, "nothing would pass"),
        ({"min": 1, "vectors": 5}, "count of mismatches"),
        ({"min": 1, "reference_metric": "b"}, "needs relative_to"),
        ({"min": 1, "relative_to": "candidate"}, "another reference_metric"),
        ({"min": 1, "relative_to": "nobody"}, "relative_to"),
        ({"min": 1, "sigma": 1}, "sigma"),
        ({"min": math.nan}, "finite"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(gate: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Gate.model_validate({"metric": "a", **gate})


def test_intervals_are_found_by_the_names_of_the_evaluation() -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    measured = separation(rng.normal(0, 1, 20_000), rng.normal(1, 1, 500))
    metrics = to_metrics({"x": measured})
    auc = interval_of(metrics, "auc/x")
    assert auc is not None
    assert auc.width == pytest.approx(2 * measured.auc_error)
    rate = measured.tpr["1e-2"]
    assert interval_of(metrics, "tpr_fpr1e-2/x") == Interval(low=rate.low, high=rate.high)
    assert interval_of({"mse/auc/x": 0.5, "mse/auc_error/x": 0.1}, "mse/auc/x") is not None


@pytest.mark.parametrize(
    "metrics",
    [
        {"a": 1.0},
        {"a": 1.0, "a_error": math.nan},
        {"a": 1.0, "a_error": -0.1},
        {"a": 1.0, "a_low": 1.1, "a_high": 1.2},
        {"a": 1.0, "a_low": 0.9},
        {"a": math.nan, "a_error": 0.1},
    ],
)
def test_what_is_no_interval_is_none(metrics: dict[str, float]) -> None:
    assert interval_of(metrics, "a") is None


def test_a_gate_judges_the_metric_that_stands_instead_where_there_is_no_other() -> None:
    """A student that learned a decision has a Brier score and no distance from a score."""
    gate = Gate(metric="mse_to_teacher/b", instead="brier/b", max=0.5)
    for metrics, metric, passed in (
        ({"mse_to_teacher/b": 0.6, "brier/b": 0.1}, "mse_to_teacher/b", False),
        ({"brier/b": 0.1}, "brier/b", True),
        ({"brier/b": 0.6}, "brier/b", False),
        ({}, "mse_to_teacher/b", False),
    ):
        (verdict,) = judge({"fidelity": gate}, metrics)
        assert (verdict.metric, verdict.passed) == (metric, passed)


def test_evidence_survives_its_file(tmp_path: Path) -> None:
    evidence = _evidence(metrics={**METRICS, "auc/b": math.nan}, estimates=("firmware/lut",))
    evidence.write(tmp_path / "evidence.json")
    read = Evidence.read(tmp_path / "evidence.json")
    assert read == _evidence(estimates=("firmware/lut",)), "NaN was not measured"
