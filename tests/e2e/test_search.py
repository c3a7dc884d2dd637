"""A search for students goes from a teacher to tables, pictures and networks of finalists."""

import csv
import json
from pathlib import Path

import mlflow
import pytest
import yaml

from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings
from tests.e2e.conftest import Project, with_own_store

CANDIDATES = 12
FEW = (
    f"search.candidates={CANDIDATES}", "search.generation=12", "search.sampler=nsga2",
    "search.rungs=[1]", "search.training.epochs=3", "search.begin_epoch=0", "search.end_epoch=2",
    "search.training.batch_size=64", "search.space.depth=[1]", "search.space.nodes=[4,8]",
    "search.finalists=1", "search.seeds=1", "student.training.epochs=2",
    "compression.begin_epoch=0", "compression.end_epoch=1", "distillation.augmentation=0",
    "strategy=front", "executor.workers=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(line: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    folder = tmp_path_factory.mktemp("search")
    store = with_own_store(line, folder)
    store.l1distill("search", *FEW, f"output={folder}/search")
    return store, folder / "search"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_candidate_is_a_row(searched: tuple[Project, Path]) -> None:
    store, folder = searched
    candidates, front = rows(folder / "candidates.csv"), rows(folder / "front.csv")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert [int(row["candidate"]) for row in candidates] == list(range(CANDIDATES))
    assert metrics["search/candidates"] == CANDIDATES
    assert metrics["search/candidates_per_hour"] > 0
    finished = [row for row in candidates if row["state"] == "finished"]
    stopped = [row for row in candidates if row["state"] == "stopped"]
    assert len(finished) == metrics["search/finished"]
    assert {row["epochs"] for row in finished} == {"3"}
    assert {row["epochs"] for row in stopped} <= {"1"}
    assert len(front) == metrics["search/front"]
    best = min(finished, key=lambda row: float(row["loss"]))
    told = metrics["search/best_mse_to_teacher"]
    assert told == pytest.approx(float(best["mse_to_teacher/background"]))
    assert all(0 <= float(row["auc/lq_btau"]) <= 1 for row in finished)
    client = mlflow.MlflowClient(store.environment["MLFLOW_TRACKING_URI"])
    everywhere = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(everywhere, "tags.stage = 'search'")
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"candidates.csv", "front.csv", "plots"} <= files


def test_the_finalist_is_a_network_and_an_experiment(searched: tuple[Project, Path]) -> None:
    _, folder = searched
    (row,) = rows(folder / "finalists.csv")
    content = yaml.safe_load((folder / "finalists" / f"{row['candidate']}.yaml").read_text())
    settings = StudentSettings.model_validate(content["student"])
    model = keras_files.load(folder / "finalists" / f"{row['candidate']}-seed{row['seed']}.h5")
    kernels = [layer.kernel.shape[1] for layer in model.layers if hasattr(layer, "kernel")]
    assert kernels == [*settings.layers, 1]
