"""The jets task's shipped thresholds, on made-up logits of as many jets as the quick profile."""

import numpy as np
import pytest

from l1distill.distillation.student import distance_to_teacher
from l1distill.evaluation.context import ScoreContext
from l1distill.evaluation.roc import separation
from l1distill.evaluation.trigger_study import study_scores
from l1distill.registry.gates import Gate
from l1distill.registry.judgment import judge
from l1distill.tasks.jets.evaluation import EFFICIENCIES, rejection
from tests.settings import conf

GATES = {name: Gate.model_validate(gate) for name, gate in conf("gates/jets")["gates"].items()}
FIRMWARE = {
    "latency_ns": 50,
    "slack_ns_estimate": 0.1,
    "ii_cycles": 1,
    "lut_percent": 1,
    "ff_percent": 1,
    "dsp_percent": 0,
    "bram_percent": 0,
    "mismatches": 0,
    "verified_events": 11_000,
}
N = 4800
RNG = np.random.default_rng(1)
LABEL = np.arange(2 * N) < N
TEACHER = RNG.normal(size=2 * N) + 3.3 * LABEL  # AUC 0.990


def _refused(scores: np.ndarray) -> set[str]:
    scale = TEACHER.std()
    mean = TEACHER.mean()
    scores, taught = (scores - mean) / scale, (TEACHER - mean) / scale
    groups = {"qcd": ("jets", ~LABEL), "h_bb": ("jets", LABEL)}
    context = ScoreContext(
        background="qcd",
        input_rate_khz=conf("evaluation/jets")["input_rate_khz"],
        efficiencies=EFFICIENCIES,
        groups=groups,
    )
    found = separation(scores[~LABEL], scores[LABEL])
    metrics = {
        **{f"firmware/{name}": float(value) for name, value in FIRMWARE.items()},
        "saturated_max": 0.0,
        "auc": found.auc,
        "auc_error": found.auc_error,
        **distance_to_teacher({"jets": scores[:, None]}, {"jets": taught[:, None]}),
        **study_scores({"jets": scores}, context, {"jets": taught}).metrics,
    }
    for percent in EFFICIENCIES:
        values = rejection(scores[~LABEL], scores[LABEL], percent / 100)
        for end, value in zip(("", "_low", "_high"), values, strict=True):
            metrics[f"rejection_{percent}{end}"] = value
    return {verdict.gate for verdict in judge(GATES, metrics) if not verdict.passed}


def test_a_student_near_its_teacher_passes() -> None:
    assert _refused(TEACHER + RNG.normal(0.0, 0.15, 2 * N)) == set()


PHYSICS = {"auc", "rejection_50", "rejection_80", "rate", "agreement"}


@pytest.mark.parametrize(
    ("scores", "reasons"),
    [
        (RNG.normal(size=2 * N), PHYSICS | {"fidelity"}),
        # as good as the best single feature
        (RNG.normal(size=2 * N) + 2.1 * LABEL, PHYSICS | {"fidelity"}),
        # an output that ends where the signal lies
        (np.minimum(TEACHER, 1.5), {"rejection_50", "rejection_80", "rate", "agreement"}),
    ],
    ids=["untrained", "single feature", "saturated"],
)
def test_a_poor_student_is_refused(scores: np.ndarray, reasons: set[str]) -> None:
    assert _refused(scores) >= reasons
