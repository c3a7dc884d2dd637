"""A search for students goes from a teacher to tables, pictures and networks of finalists."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml

from l1distill.core.workspace import work_folder
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
from l1distill.search.records import Outcome
from l1distill.search.trainer import Trainer
from l1distill.search.worker import STAGE_NS
from l1distill.stages import search_finalists, search_promotion, search_workers
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse, settings_class
from l1distill.stages.pipeline_job import Job
from l1distill.tracking.descriptions import NOTE
from tests.e2e.conftest import Project, with_own_store

CANDIDATES = 12
FEW = (
    f"search.candidates={CANDIDATES}", "search.generation=12", "search.sampler=nsga2",
    "search.rungs=[1]", "search.training.epochs=3", "search.begin_epoch=0", "search.end_epoch=2",
    "search.training.batch_size=64", "search.space.depth=[1]", "search.space.nodes=[4,8]",
    "search.finalists=1", "search.seeds=1", "student.training.epochs=2",
    "compression.begin_epoch=0", "compression.end_epoch=1", "distillation.augmentation=0",
    "executor.workers=1",
)  # fmt: skip
FRONT = ("experiment=search_front", *FEW)
WALK = (
    "student.layers=[4]", "student.beta_start=1e-4", "student.beta=0.1",
    "student.training.epochs=4", "search.candidates=12",
    "search.finalists=1", "search.seeds=1", "distillation.augmentation=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(line: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    folder = tmp_path_factory.mktemp("search")
    store = with_own_store(line, folder)
    store.l1distill("search", *FRONT, f"output={folder}/search")
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
    assert {"candidates.csv", "front.csv", "importances.csv", "progress.csv", "curves"} <= files
    pictures = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "plots")}
    assert {"mse_to_teacher.png", "front.png", "importances.png"} <= pictures
    assert 0 < run.data.metrics["search/tracking_share"] < 1


def runs_of(store: Project, stage: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(store.environment["MLFLOW_TRACKING_URI"])
    everywhere = [one.experiment_id for one in client.search_experiments()]
    newest = ["attributes.start_time DESC"]
    return list(client.search_runs(everywhere, f"tags.stage = '{stage}'", order_by=newest))


def test_finalists_are_runs_below_that_of_the_search(searched: tuple[Project, Path]) -> None:
    store, folder = searched
    parent, child = runs_of(store, "search")[-1], runs_of(store, "finalist")[-1]
    (row,) = rows(folder / "finalists.csv")
    assert child.info.status == "FINISHED"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params["candidate"] == row["candidate"]
    told = {name: float(row[name]) for name in child.data.metrics}
    assert child.data.metrics == pytest.approx(told)
    found = rows(folder / "candidates.csv")[int(row["candidate"])]
    assert child.data.params["student.layers"] == f"[{found['layers']}]"


def test_a_finished_search_trains_nothing_again(
    searched: tuple[Project, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = searched
    monkeypatch.setattr(search_finalists, "train_student", never)
    monkeypatch.setattr(Trainer, "train", never)
    work_in_threads(monkeypatch)
    before = {name: (folder / name).read_bytes() for name in ("candidates.csv", "finalists.csv")}
    (network,) = (folder / "finalists").glob("*.h5")
    content = network.read_bytes()
    store.l1distill("search", *FRONT, f"output={folder}")
    assert before == {name: (folder / name).read_bytes() for name in before}
    assert network.read_bytes() == content


def test_a_search_of_something_else_is_refused_before_a_run_is_opened(
    searched: tuple[Project, Path],
) -> None:
    store, folder = searched
    runs = len(runs_of(store, "search"))
    for words, said in (
        ("search.space.nodes=[4,12]", "search.space.nodes=[4, 8] (now [4, 12])"),
        ("strategy=co", 'strategy="front" (now "co")'),
        ("search.database=postgresql://u:s3cret@h:x/y", "is no address of a database"),
        ("search.finalists=0", "promote=true takes the best of them"),
        ("executor=htcondor", "condor_submit is not on the PATH; run this where jobs"),
    ):
        more = ["promote=true"] if "finalists" in words else []
        few = [word for word in FRONT if not word.startswith("executor")]
        done = store.l1distill("search", *few, words, *more, f"output={folder}", check=False)
        status = 1 if "condor" in words else 2
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
        assert "s3cret" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert len(runs_of(store, "search")) == runs


def test_ctrl_c_leaves_the_tables_of_what_there_is(
    searched: tuple[Project, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = searched
    work_in_threads(monkeypatch)
    monkeypatch.setattr(search_workers, "_LOOK_S", 0.05)

    def interrupt(_: object, outcomes: Sequence[Outcome], **_more: object) -> None:
        if outcomes:
            raise KeyboardInterrupt

    # the worker leaves behind its first task, of two, however fast it is
    stop = work_folder(tmp_path / "search") / search_workers.STOP
    words = ("experiment=search_co", *FEW, "search.candidates=12", f"output={tmp_path}/search")
    with monkeypatch.context() as patched:
        patched.setattr(search_workers._Report, "__call__", interrupt)
        patched.setattr(search_workers._Turn, "look", lambda *_: stop.touch())
        done = store.l1distill("search", *words, check=False)
    assert done.returncode == 130, done.stderr
    assert f"what there is was written to {tmp_path}/search" in done.stderr
    table = rows(tmp_path / "search/candidates.csv")
    assert len(table) == 12
    trained = [row for row in table if row["loss"]]
    assert 0 < len(trained) < 12
    assert {row["state"] for row in table} == {"waiting"}
    assert runs_of(store, "search")[0].info.status == "KILLED"
    # and goes on, up to a job of the pipeline with the best
    jobs: list[Any] = []
    monkeypatch.setattr(search_promotion, "run_job", lambda job: jobs.append(job) or job)
    monkeypatch.setattr(search_promotion, "print", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(Job, "summary", "", raising=False)
    done = store.l1distill("search", *words, "promote=true")
    counted = f"search: 12 candidates: {len(trained)} by an earlier run, {12 - len(trained)} in "
    assert counted in done.stderr
    after = rows(tmp_path / "search/candidates.csv")
    assert [after[int(row["candidate"])]["layers"] for row in trained] == [
        row["layers"] for row in trained
    ]
    assert {row["state"] for row in after} <= {"finished", "stopped"}
    (job,) = jobs
    (best,) = rows(tmp_path / "search/finalists.csv")
    layers = after[int(best["candidate"])]["layers"]
    assert "-".join(map(str, job.composed["student"]["layers"])) == layers


def test_layers_are_searched_before_types(
    searched: tuple[Project, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = searched
    work_in_threads(monkeypatch)
    few = ("experiment=search_post", *FEW, "search.candidates=6", "search.finalists=0")
    store.l1distill("search", *few, f"output={tmp_path}/search")
    table = rows(tmp_path / "search/candidates.csv")
    assert [row["phase"] for row in table] == ["architecture"] * 3 + ["quantization"] * 3
    done = [row for row in table if row["phase"] == "architecture" and row["state"] == "finished"]
    best = min(done, key=lambda row: float(row["loss"]))
    assert {row["layers"] for row in table[3:]} == {best["layers"]}


@pytest.fixture(scope="module")
def walked(searched: tuple[Project, Path]) -> Path:
    """One training with learned bits, in small."""
    store, front = searched
    folder = front.with_name("walk")
    store.l1distill("search", "experiment=search_hgq", *WALK, f"output={folder}")
    return folder


def test_a_walk_with_learned_bits_is_a_search(searched: tuple[Project, Path], walked: Path) -> None:
    store, _ = searched
    table, front = rows(walked / "candidates.csv"), rows(walked / "front.csv")
    assert [row["epochs"] for row in table] == ["1", "2", "3"], "three quarters of four epochs"
    prices = [float(row["beta"]) for row in table]
    assert prices == pytest.approx([10 ** (-3 + one) for one in range(3)], rel=1e-3)
    spent = [float(row["cpu_s"]) for row in table]
    assert 0 < spent[0] < spent[1] < spent[2]
    metrics = json.loads((walked / "metrics.json").read_text())
    best = min(table, key=lambda row: float(row["loss"]))
    assert metrics["search/candidates"] == 3
    assert metrics["search/front"] == len(front)
    assert metrics["search/best_validation_loss"] == pytest.approx(float(best["loss"]))
    told = metrics["search/best_mse_to_teacher"]
    assert told == pytest.approx(float(best["mse_to_teacher/background"]))
    (finalist,) = rows(walked / "finalists.csv")
    network = from_qkeras(
        keras_files.load(walked / f"finalists/{finalist['candidate']}-seed2026.h5")
    )
    assert estimate(network, STAGE_NS).lut_estimate == float(finalist["lut_estimate"])
    content = yaml.safe_load((walked / f"finalists/{finalist['candidate']}.yaml").read_text())
    row = table[int(finalist["candidate"]) - 1]
    assert content["student"]["beta"] == pytest.approx(float(row["beta"]))
    run = next(one for one in runs_of(store, "search") if one.data.params["strategy"] == "hgq")
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("search hgq, 12 candidates, seed 2026")
    assert "3 candidates of one training (12 asked for" in run.data.tags[NOTE]
    below = [
        one
        for one in runs_of(store, "finalist")
        if one.data.tags["mlflow.parentRunId"] == run.info.run_id
    ]
    assert [one.data.params["student.beta"] for one in below] == [str(content["student"]["beta"])]
    assert below[0].data.metrics["loss"] == pytest.approx(float(finalist["loss"]))


def test_searches_are_gathered_on_a_page(
    searched: tuple[Project, Path], walked: Path, tmp_path: Path
) -> None:
    store, folder = searched
    names = ("searches=[search_front,search_hgq]", "repeats=search_front")
    store.l1distill("paper", "study=searches", *names, f"output={tmp_path}/paper")
    text = (tmp_path / "paper/report.md").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert f"| front | {CANDIDATES} | {metrics['search/finished']:.0f} |" in text
    assert f"{metrics['search/best_validation_loss']:.4g}" in text
    learned = json.loads((walked / "metrics.json").read_text())
    assert f"{learned['search/best_validation_loss']:.4g}" in text
    assert "is not said here" in text, "there is no search of another strategy"
    assert {path.name for path in (tmp_path / "paper/plots").iterdir()} == {
        "search_mse.png",
        "search_roc.png",
        "search_compute.png",
    }


def never(*_: object, **__: object) -> None:
    raise AssertionError("it is trained again")


def work_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers without processes of their own: an import of TensorFlow less."""
    monkeypatch.setattr(search_workers, "open_executor", in_threads)
    monkeypatch.setattr(search_workers, "take_turn", search_workers.take_part)


@contextmanager
def in_threads(*_: object) -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_the_finalist_is_a_network_and_an_experiment(
    searched: tuple[Project, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = searched
    (row,) = rows(folder / "finalists.csv")
    written = folder / "finalists" / f"{row['candidate']}.yaml"
    (tmp_path / "conf/experiment").mkdir(parents=True)
    shutil.copy(written, tmp_path / "conf/experiment/found.yaml")
    monkeypatch.chdir(tmp_path)
    composed = to_plain(compose_stage("student", ["experiment=found"]).config)
    told = parse(settings_class("student", composed), composed)
    content, settings = yaml.safe_load(written.read_text()), told.student
    for section in ("student", "compression", "distillation"):
        assert getattr(told, section).model_dump(mode="json") == content[section]
    assert content["distillation"]["augmentation"] == 0, "as the search learned"
    model = keras_files.load(folder / "finalists" / f"{row['candidate']}-seed{row['seed']}.h5")
    kernels = [layer.kernel.shape[1] for layer in model.layers if hasattr(layer, "kernel")]
    assert kernels == [*settings.layers, 1]
