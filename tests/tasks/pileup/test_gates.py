"""The pileup task's shipped thresholds, on weights of made-up events; and the paper's accuracy."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.registry.gates import Gate
from l1distill.registry.judgment import judge
from l1distill.tasks.pileup.dataset import TEST, TRUTH, open_dataset
from l1distill.tasks.pileup.evaluation import (
    evaluate_weights,
    histogram_accuracy,
    histogram_overlap,
)
from l1distill.tasks.pileup.responses import ResponseSettings
from tests.settings import conf
from tests.tasks.pileup.made_up import make_data_set

GATES = {name: Gate.model_validate(gate) for name, gate in conf("gates/pileup")["gates"].items()}
FIRMWARE = {
    "latency_ns": 25,
    "slack_ns_estimate": 0.1,
    "ii_cycles": 1,
    "lut_percent": 0.03,
    "ff_percent": 0.01,
    "dsp_percent": 0,
    "bram_percent": 0,
    "mismatches": 0,
    "verified_events": 10_300,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_set(tmp_path_factory.mktemp("pileup"))


def _refused(data: Path, student: np.ndarray, **firmware: float) -> set[str]:
    dataset = open_dataset(data)
    truth = dataset.sample(TEST).items.columns[TRUTH].astype(np.float32)
    answers = {"student": {TEST: student}, "teacher": {TEST: truth}}
    metrics = {
        **{f"firmware/{name}": float(value) for name, value in (FIRMWARE | firmware).items()},
        **evaluate_weights(answers, dataset, ResponseSettings()).metrics,
    }
    return {verdict.gate for verdict in judge(GATES, metrics) if not verdict.passed}


def test_weights_near_the_truth_pass_and_others_are_refused(data: Path) -> None:
    sample = open_dataset(data).sample(TEST)
    truth = sample.items.columns[TRUTH].astype(np.float32)
    rng = np.random.default_rng(0)
    near = np.clip(truth + rng.normal(0.0, 0.005, len(truth)).astype(np.float32), 0.0, 1.0)
    assert _refused(data, truth) == set()
    assert _refused(data, near) <= {"teacher"}  # whose resolution is zero here
    assert _refused(data, truth, latency_ns=29.2) == {"latency"}
    assert _refused(data, np.ones_like(truth)) >= {"ptmiss", "teacher"}
    assert _refused(data, rng.permutation(truth)) >= {"ptmiss", "jet_pt", "teacher"}
    # without any weight the response is the same for all, and no jet is left
    assert _refused(data, np.zeros_like(truth)) >= {"ptmiss_scale", "jet_pt", "jet_scale"}


def test_accuracy_is_a_ratio_of_histograms() -> None:
    teacher = np.array([0.05, 0.15, 0.15, 0.95])
    student = np.array([0.05, 0.15, 0.95, 0.95])
    # bins of 0.2: three and one of the teacher's, two and two of the student's
    assert histogram_accuracy(student, teacher, 5) == pytest.approx((2 / 3 + 2 / 1) / 2)
    assert histogram_overlap(student, teacher, 5) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert histogram_accuracy(teacher, teacher) == histogram_overlap(teacher, teacher) == 1.0
