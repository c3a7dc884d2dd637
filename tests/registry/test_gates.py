import math

import pytest
from pydantic import ValidationError

from l1distill.registry.gates import Gate
from l1distill.registry.judgment import judge

GATES = {
    "auc": Gate(metric="auc/a_4l", min=0.8),
    "latency": Gate(metric="firmware/latency_ns", max=100),
    "sparsity": Gate(metric="sparsity", min=0.4, max=0.9),
}
GOOD = {"auc/a_4l": 0.8, "firmware/latency_ns": 100.0, "sparsity": 0.5}


def _failed(metrics: dict[str, float]) -> dict[str, str]:
    return {v.gate: v.reason for v in judge(GATES, metrics) if not v.passed}


def test_values_on_the_threshold_pass() -> None:
    assert _failed(GOOD) == {}


@pytest.mark.fault(
    stage="promote",
    fault="NaN metric",
    outcome="the gate fails by name; the student is not promoted",
)
@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"auc/a_4l": 0.799}, {"auc": "0.799 is below 0.8"}),
        ({"firmware/latency_ns": 105.0}, {"latency": "105 is above 100"}),
        ({"sparsity": 0.95}, {"sparsity": "0.95 is above 0.9"}),
        ({"auc/a_4l": math.nan}, {"auc": "auc/a_4l is nan"}),
        ({"firmware/latency_ns": -math.inf}, {"latency": "firmware/latency_ns is -inf"}),
    ],
)
def test_a_miss_is_refused_and_says_why(change: dict[str, float], failed: dict[str, str]) -> None:
    assert _failed({**GOOD, **change}) == failed


@pytest.mark.parametrize("metric", list(GOOD))
def test_what_was_not_measured_does_not_pass(metric: str) -> None:
    metrics = {name: value for name, value in GOOD.items() if name != metric}
    (reason,) = _failed(metrics).values()
    assert reason == f"{metric} was not measured"


def test_a_gate_without_a_bound_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs min, max or both"):
        Gate(metric="auc/a_4l")
