"""Experiments and teachers that ``conf/`` has, each trained on the tiny profile."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, experiment_command
from tests.settings import ROOT

SWEEPS = (
    *("govorkova_beta", "govorkova_teachers", "govorkova_scan", "published_firmware"),
    *("distillation_comparison", "pseudo_events"),
    *("autopruner_distilled", "autopruner_features"),
    *("autopruner_nodes", "autopruner_stability"),
    *("reduction_comparison", "jets_reduction", "front"),
    *("pileup_teachers", "pileup_float", "pileup_8bit"),
    "search_repeats",
)
"""Experiments that sweep; they run in ``tests/e2e/test_study.py``, the published firmware in
``tests/stages/test_synthesize.py``, the comparison in ``tests/e2e/test_pipeline.py``; that of
pseudo-events is such a one and only composed, as are those of autopruner, whose command runs on
digits (``tests/digits``); those of pileup run in ``tests/tasks/pileup/test_line.py``."""


DISTILLATION = {path.stem for path in (ROOT / "conf/experiment").glob("distill_*.yaml")}
"""Combinations of the same settings: one runs here, all are composed and some are trained in
``tests/stages/test_distillation.py``."""


SEARCHES = {"search_post", "search_co", "search_front", "search_hgq"}
"""Long searches; they run in small in ``tests/e2e/test_search.py`` (learned bits: parsed)."""


REDUCTION = {
    path.stem
    for kind in ("reduce", "front")
    for path in (ROOT / "conf/experiment").glob(f"{kind}_*.yaml")
}
"""Ways to make a student small, of which each is composed in ``tests/stages/test_pipeline.py``."""


@pytest.mark.parametrize(
    "experiment",
    sorted(
        {path.stem for path in (ROOT / "conf/experiment").glob("*.yaml")}
        - set(SWEEPS)
        - (DISTILLATION - {"distill_feature_co_training"})
        - REDUCTION
        - SEARCHES
    ),
)
def test_every_experiment_runs_as_its_first_line_says(
    line: Project, tmp_path: Path, experiment: str
) -> None:
    stage, *arguments = experiment_command(line, experiment)
    output = tmp_path / stage
    line.l1distill(stage, *arguments, f"output={output}")
    assert (output / "metrics.json").is_file()


@pytest.mark.parametrize("teacher", ["dnn_ae", "dnn_vae", "cnn_vae"])
def test_every_teacher_trains_pruned_and_hands_on_its_score(
    line: Project, tmp_path: Path, teacher: str
) -> None:
    line.l1distill(
        "teacher", f"teacher={teacher}", "compression=pruning", "compression.begin_epoch=1",
        "compression.end_epoch=3", "teacher.training.epochs=5", f"output={tmp_path}/teacher",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "teacher/metrics.json").read_text())
    assert metrics["sparsity"] == pytest.approx(0.5, abs=0.01)
    scores = ("mse", "kl", "rz") if teacher.endswith("vae") else ("mse",)
    assert all(f"{score}/auc/lq_btau" in metrics for score in scores)
    handed_on = "kl" if teacher.endswith("vae") else "mse"
    assert metrics["auc/lq_btau"] == metrics[f"{handed_on}/auc/lq_btau"]
