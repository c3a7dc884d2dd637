"""Networks left with few nodes or features: gathered from logged runs, compared, on a page."""

import json
import math
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest

from l1distill.artifacts.runs import LoggedRun
from l1distill.core.errors import DataError
from l1distill.data.card import Card, FileCard
from l1distill.data.dataset import Dataset
from l1distill.evaluation.budgets import (
    BudgetPoint,
    differences,
    largest_drop,
    off_budget,
    points,
    run_of,
)
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse
from l1distill.stages.student import STAGE
from l1distill.tasks.jets.task import TASK

AUC = {(10, "0"): 0.90, (10, "1"): 0.92, (19, "0"): 0.95, (19, "1"): 0.95, (38, "0"): 0.9485}
"""Of autopruner by nodes and seed."""


def _logged(
    nodes: int | None, seed: str, auc: float, score: str = "fisher", used: int = 0,
    features: list[str] | None = None, scope: str = "global", knowledge: str = "",
) -> LoggedRun:  # fmt: skip
    metrics = {"auc": auc, "auc_error": 0.002}
    tags = {}
    if nodes is not None:
        used = used or nodes
        first = used - 4
        metrics |= {"nodes_asked": nodes, "nodes_used": used, "nodes_before": 192}
        metrics |= {"nodes_used/dense_1": first, "nodes_used/dense_2": 4}
    if features is not None:
        n = len(features)
        metrics |= {"features_asked": n, "features_used": n, "features_before": 38}
        tags["features_kept"] = json.dumps(features)
    parameters = {
        "compression.score": score,
        "compression.feature_score": "fisher",
        "compression.scope": scope,
        "seed": seed,
        "distillation.beta": "1.0" if "labels" in knowledge or not knowledge else "0.0",
        "distillation.response.weight": "1.0" if "response" in knowledge else "0.0",
        "distillation.feature.weight": "0.1" if "feature" in knowledge else "0.0",
    }
    return LoggedRun(run_id=f"{nodes}{seed}", parameters=parameters, metrics=metrics, tags=tags)


RUNS = [_logged(nodes, seed, auc) for (nodes, seed), auc in AUC.items()]
SCRATCH = [
    _logged(19, seed, auc, "from_scratch") for seed, auc in (("0", 0.93), ("1", 0.935), ("2", 0.9))
]


def _points(unit: Any, runs: list[LoggedRun]) -> list[BudgetPoint]:
    said = (run_of(unit, "auc", run.parameters, run.metrics, run.tags) for run in runs)
    return points(run for run in said if run is not None)


def test_runs_are_gathered_by_method_and_budget() -> None:
    found = _points("nodes", [*RUNS, *SCRATCH, _logged(10, "0", 0.1)])  # the newest come first
    assert [(p.method, p.asked, len(p.runs)) for p in found] == [
        ("autopruner", 10, 2),
        ("autopruner", 19, 2),
        ("autopruner", 38, 1),
        ("from scratch", 19, 3),
    ]
    assert found[0].mean == pytest.approx(0.91)
    assert found[0].spread == pytest.approx(stdev([0.90, 0.92]))
    assert math.isnan(found[2].spread)
    assert found[0].layers() == {"dense_1": (6.0, 0.0), "dense_2": (4.0, 0.0)}
    (layered,) = _points("nodes", [_logged(19, "0", 0.9, scope="layer")])
    assert layered.method == "autopruner, by layer"


def test_what_must_hold_is_told_from_what_does_not() -> None:
    found = _points("nodes", [*RUNS, *SCRATCH])
    assert largest_drop(found, "autopruner") == pytest.approx(0.95 - 0.9485)
    assert off_budget(found) == []
    (missed,) = off_budget(_points("nodes", [*RUNS, _logged(77, "0", 0.96, used=79)]))
    assert (missed.asked, missed.used) == (77, 79)
    (difference,) = differences(found, "autopruner", "from scratch")
    # seed 2 has no partner
    assert (difference.asked, difference.seeds) == (19, 2)
    assert difference.mean == pytest.approx((0.02 + 0.015) / 2)
    assert difference.error == pytest.approx(stdev([0.02, 0.015]) / math.sqrt(2))


def test_what_was_learned_of_a_teacher_stands_behind_the_method() -> None:
    knowledge = ("response", "response and labels", "response, feature")
    names = [_points("nodes", [_logged(19, "0", 0.9, knowledge=k)])[0].method for k in knowledge]
    assert names == [
        "autopruner, distilled: response",
        "autopruner, distilled: response and labels",
        "autopruner, distilled: response + feature",
    ]


def test_features_are_compared_over_seeds() -> None:
    kept = (["pT", "mass"], ["pT", "D2"], ["pT", "mass"])
    runs = [_logged(None, str(n), 0.98, features=names) for n, names in enumerate(kept)]
    both = _logged(19, "0", 0.9, features=["pT", "mass"])
    (point,) = _points("features", [*runs, both])
    assert point.alike() == pytest.approx((1 / 3 + 1 + 1 / 3) / 3)
    assert point.often() == [("pT", 3), ("mass", 2), ("D2", 1)]


class _Finder:
    def __init__(self, runs: dict[str, list[LoggedRun]]) -> None:
        self._runs = runs

    def find(self, stage: str, experiment: str, dataset_md5: str | None, status: str = "") -> Any:
        assert (stage, dataset_md5) == ("student", "0" * 32)
        return self._runs.get(experiment, [])

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        raise FileNotFoundError(path)


def test_the_study_is_a_page_with_tables_and_pictures(tmp_path: Path) -> None:
    file = FileCard(train=60, test=48, validation=12, sha256="")
    card = Card(
        dataset="jets", settings={}, versions={}, files={"jets": file}, checks={}, missing=[]
    )
    dataset = Dataset(
        folder=tmp_path, card=card, md5="0" * 32, training_sample="jets", read=lambda _: None  # type: ignore[arg-type, return-value]
    )  # fmt: skip
    many = [_logged(19, str(seed), 0.95 + seed / 1e4) for seed in range(12)]
    features = [
        _logged(None, str(seed), 0.97 + len(names) / 1e3, features=names)
        for seed in range(2)
        for names in (["pT", "mass"], ["pT", "mass", "D2"])
    ]
    taught = [_logged(19, seed, 0.955, knowledge="response") for seed in "01"]
    taught += [_logged(38, "0", 0.9545, knowledge="response")]
    finder = _Finder({"a": [*RUNS, *SCRATCH], "b": many, "c": features, "d": taught})
    experiments = {"nodes": "a", "stability": "b", "features": "c", "distilled": "d"}
    study = TASK.study()
    assert study.write(finder, dataset, experiments, tmp_path) == {
        "nodes_networks": 21.0,
        "features_networks": 4.0,
    }
    report = (tmp_path / "report.md").read_text()
    for words in (
        "21 of 21 networks are left with exactly as many as were asked for",
        "NOT within 0.001: a larger budget does worse than a smaller one by 0.0020 at most",
        "| autopruner | 0.9100 ± 0.0141 (2) | 0.9505 ± ",
        "| autopruner | 19 | 12 | 0.9505 |",
        "distilled: response grows with the share of nodes that is used, within 0.001: a larger "
        "budget does worse than a smaller one by 0.0005",
        "| response | – | +0.0050 ± 0.0000 | +0.0060 ± ? |",  # 38: a seed alone
        "features that is used, within 0.001",
        "| autopruner | 2 | mass (2/2), pT (2/2) |",
        "![",
    ):
        assert words in report, words
    names = {path.name for path in (tmp_path / "plots").glob("*.png")}
    assert names == {
        *("performance_nodes.png", "used_nodes.png", "layers.png", "stability_nodes.png"),
        *("performance_features.png", "used_features.png"),
    }
    assert (tmp_path / "index.html").read_text().count("data:image/png") == 6
    with pytest.raises(DataError, match="begin with l1distill student experiment=x"):
        study.check(_Finder({}), dataset, dict.fromkeys(experiments, "x"))


@pytest.mark.parametrize("name", ["nodes", "stability", "features", "distilled"])
def test_the_experiments_are_students_in_floating_point(name: str) -> None:
    composed = to_plain(
        compose_stage("student", ["task=jets", f"experiment=autopruner_{name}"]).config
    )
    settings = parse(STAGE.settings_for(TASK, composed), composed)
    chosen = settings.student
    assert (chosen.quantized, chosen.layers, settings.brief) == (False, [64, 64, 64], True)
    learned = (settings.distillation.response.weight, settings.distillation.beta)
    assert learned == ((1.0, 1.0) if name == "distilled" else (0.0, 1.0))
    assert chosen.inputs.inputs == ("features" if name == "features" else "constituents")
    # the epoch is chosen on the validation split, never by stopping early
    assert chosen.training.patience == chosen.training.epochs
