"""How every stage is run: with stages of our own that do next to nothing."""

import json
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import mlflow
import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from l1distill.artifacts.record import Record
from l1distill.core.errors import ConfigError, DataError, ResourceError
from l1distill.core.workspace import folder_sha256
from l1distill.stages.stage import Context, Result
from l1distill.tasks.base import Task
from l1distill.training.earlier_epochs import LaterEpochs, tell_earlier
from tests.stages import toy
from tests.stages.toy import Settings, execute, settings_of, write


@contextmanager
def limited(most_bytes: int) -> Iterator[None]:
    """Lets no file become larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_database() -> Iterator[None]:
    """Lets no SQLite file grow, on no connection: what SQLite does on a full disk."""

    def no_more(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(Pool, "checkout", no_more)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", no_more)


def _write(settings: Settings, context: Context) -> Result:
    if settings.text == "boom":
        raise RuntimeError("boom")
    if settings.text in {"full", "numpy"}:
        (context.folder / "full.npy").symlink_to("/dev/full")
    if settings.text == "full":
        (context.folder / "full.npy").write_text(settings.text)
    if settings.text == "huge":
        with limited(1000):
            (context.folder / "out.txt").write_text(settings.text * 1000)
    if settings.text == "numpy":
        np.save(context.folder / "full.npy", np.zeros(10_000))
    if settings.text == "hdf5":
        with limited(1000), h5py.File(context.folder / "out.h5", "w") as file:
            file["zeros"] = np.zeros(10_000)
    if settings.text == "memory":
        bytes(2**62)
    return write(settings, context)


FIRST = replace(toy.FIRST, run=_write)
SECOND = replace(FIRST, name="second")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialized store: MLflow takes seconds to make its tables."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    shutil.copy(template, tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    mlflow.set_tracking_uri(None)


def _runs(stage: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.stage = '{stage}'"))


def test_a_stage_writes_its_folder_and_its_run() -> None:
    execute(FIRST, settings_of("out"), {"seed": 1, "output": "out", "tracking.uri": None})
    assert {path.name for path in Path("out").iterdir()} == {
        "out.txt",
        "metrics.json",
        "summary.json",
        "record.json",
    }
    (run,) = _runs("first")
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "task.name": "toy",
        "seed": "1",
        "output": "out",
        "tracking.uri": "None",
    }
    assert run.data.metrics == {"length": 5.0, "letters": 4.0}
    assert run.data.tags["output_sha256"] == folder_sha256(Path("out"))


def test_the_summary_holds_the_headline_alone() -> None:
    execute(FIRST, settings_of("out"))
    assert json.loads(Path("out/summary.json").read_text()) == {"letters": 4.0}
    assert json.loads(Path("out/metrics.json").read_text()) == {"length": 5.0, "letters": 4.0}
    assert {"summary.json", "metrics.json"} <= set(Record.read(Path("out")).files)


def test_where_it_ran_does_not_change_what_comes_out() -> None:
    for output in ("a", "b"):
        parameters = {
            "seed": 1,
            "output": output,
            "executor.workers": None,
            "tracking.experiment": output,
        }
        execute(FIRST, settings_of(output), parameters)
    assert folder_sha256(Path("a")) == folder_sha256(Path("b"))


def test_a_failure_leaves_the_old_output_and_a_failed_run() -> None:
    execute(FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))
    with pytest.raises(RuntimeError, match="boom"):
        execute(FIRST, settings_of("out", text="boom"))
    assert folder_sha256(Path("out")) == before
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


@pytest.mark.fault(
    stage="every stage",
    fault="full disk, or no memory left",
    outcome="one line; the earlier output stays; the run is FAILED",
)
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("full", "No space left on device; make room"),
        ("huge", "File too large; make room"),
        ("numpy", "No space left on device; make room"),
        ("hdf5", "File too large; make room"),
        ("memory", "out: out of memory"),
    ],
)
def test_a_full_disk_or_memory_is_one_line(fault: str, says: str) -> None:
    execute(FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))
    with pytest.raises(ResourceError, match=says) as error:
        execute(FIRST, settings_of("out", text=fault))
    assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    assert not Path(".out.part").exists()
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


@pytest.mark.fault(
    stage="every stage",
    fault="full database",
    outcome="one line that names it; the earlier output stays",
)
def test_a_full_store_is_one_line_that_names_it(folder: Path) -> None:
    execute(FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))

    def many(settings: Settings, context: Context) -> Result:
        context.run.log_parameters({f"key{number}": "x" * 400 for number in range(2000)})
        return _write(settings, context)

    names = f"MLflow store sqlite:///{folder}/mlflow.db: database or disk is full; make room"
    for stage in (replace(FIRST, run=many), FIRST):  # the second has no room for its run alone
        with full_database(), pytest.raises(ResourceError, match=re.escape(names)) as error:
            parameters = {f"key{number}": "x" * 400 for number in range(100)}
            execute(stage, settings_of("out", text="other"), parameters)
        assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    execute(FIRST, settings_of("out"))  # there is room again; open runs are ended
    assert _runs("first")[0].info.status == "FINISHED"
    assert {run.info.status for run in _runs("first")} <= {"FINISHED", "FAILED", "KILLED"}


@pytest.mark.fault(
    stage="every stage",
    fault="full folder of artifacts",
    outcome="one line that names it; the earlier output stays; the run is FAILED",
)
def test_a_full_artifact_folder_is_one_line_that_names_it(folder: Path) -> None:
    execute(FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))
    database = Path("mlflow.db").stat().st_size
    with pytest.raises(ResourceError, match=r"/artifacts.*: File too large; make room") as error:
        large = settings_of("out", text="x" * (3 * database))
        with ExitStack() as stack:

            def then_full(settings: Settings, context: Context) -> Result:
                result = _write(settings, context)
                stack.enter_context(limited(2 * database))
                return result

            execute(replace(FIRST, run=then_full), large)
    assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


def test_a_failure_is_said_also_where_the_store_can_no_longer_take_it() -> None:
    def broken(settings: Settings, context: Context) -> Result:
        Path("mlflow.db").unlink()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        execute(replace(FIRST, run=broken), settings_of("out"))


def test_lineage_points_at_the_run_that_made_the_input() -> None:
    execute(FIRST, settings_of("a"))
    execute(SECOND, settings_of("b", source="a"))
    assert _runs("second")[0].data.tags["first_run"] == _runs("first")[0].info.run_id


def test_an_input_of_another_stage_is_refused() -> None:
    execute(SECOND, settings_of("a"))
    with pytest.raises(DataError, match="a: written by the stage second, needed from first"):
        execute(SECOND, settings_of("b", source="a"))
    assert not Path("b").exists()


def test_an_input_of_another_task_is_refused() -> None:
    execute(FIRST, settings_of("a"), task="jets")
    names = "a: written for task=jets, this is task=toy; run first again, or choose task=jets"
    with pytest.raises(DataError, match=names):
        execute(SECOND, settings_of("b", source="a"))
    assert not Path("b").exists()
    assert _runs("second") == []
    execute(SECOND, settings_of("b", source="a"), task="jets")


def test_an_input_that_names_no_task_is_refused() -> None:
    """As versions wrote them that knew one task only."""
    execute(FIRST, settings_of("a"))
    record = Record.read(Path("a"))
    record.model_copy(update={"parameters": {"seed": 1}}).write(Path("a"))
    with pytest.raises(DataError, match=r"a: .* knew no tasks; run first again"):
        execute(SECOND, settings_of("b", source="a"))


def test_what_a_check_refuses_leaves_no_run_and_no_output() -> None:
    execute(FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))
    asked = []

    def check(settings: Settings, task: Task) -> None:
        asked.append((settings.text, task.name))
        if settings.text != "fine":
            raise ConfigError("not like this")

    checked = replace(FIRST, check=check)
    for output in ("out", "new"):
        with pytest.raises(ConfigError, match="not like this"):
            execute(checked, settings_of(output, text="other"))
    assert folder_sha256(Path("out")) == before
    assert not Path("new").exists()
    assert not Path(".new.part").exists()
    assert len(_runs("first")) == 1
    execute(checked, settings_of("new", text="fine"))
    assert asked == [("other", "toy"), ("other", "toy"), ("fine", "toy")]
    assert len(_runs("first")) == 2


def test_losses_of_a_training_are_logged_epoch_by_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of an earlier run, too, which is in no rate."""

    def train(settings: Settings, context: Context) -> Result:
        with context.epochs("train", 3) as on_epoch:
            tell_earlier(LaterEpochs(on_epoch, 0), 0, {"loss": 3.0, "val_loss": 6.0})
            for epoch, loss in enumerate((2.0, 1.5), start=1):
                on_epoch(epoch, {"loss": loss, "val_loss": 2 * loss})
        return _write(settings, context)

    execute(replace(FIRST, run=train), settings_of("out"))
    (run,) = _runs("first")
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val_loss")
    assert [(metric.step, metric.value) for metric in history] == [(0, 6.0), (1, 4.0), (2, 3.0)]
    assert "train: 3 epochs: 1 by an earlier run, 2 in " in capsys.readouterr().err


def test_a_checkpoint_belongs_to_what_decides_what_comes_out() -> None:
    """A training that was killed goes on where it is the same training, and only there."""
    checkpoints = []

    def keep(settings: Settings, context: Context) -> Result:
        checkpoints.append(context.checkpoint.name)
        assert context.checkpoint.parent.is_dir()
        return _write(settings, context)

    stage = replace(FIRST, run=keep)
    execute(FIRST, settings_of("source"))
    execute(stage, settings_of("a"), {"rate": 1, "output": "a"})
    execute(stage, settings_of("b"), {"rate": 1, "output": "b", "tracking.uri": "x"})
    execute(stage, settings_of("c"), {"rate": 2, "output": "c"})
    execute(stage, settings_of("d", source="source"), {"rate": 1, "output": "d"})
    same, again, *others = checkpoints
    assert same == again
    assert len({same, *others}) == 3


def test_of_data_the_record_says_how_they_were_made() -> None:
    """Whatever the configuration of a later stage says; only the place is its own."""
    execute(FIRST, settings_of("a"), {"data.events": 100, "data.folder": "there", "seed": 1})
    parameters = {"data.events": 7, "data.more": 1, "data.folder": "here", "seed": 2}
    execute(SECOND, settings_of("b", source="a"), parameters)
    assert Record.read(Path("b")).parameters == {
        "task.name": "toy",
        "data.events": 100,
        "data.folder": "here",
        "seed": 2,
    }


def test_inputs_that_were_not_made_from_one_another_are_refused() -> None:
    execute(FIRST, settings_of("a"))
    execute(SECOND, settings_of("b", source="a"))
    execute(FIRST, settings_of("a", text="another"))
    third = replace(FIRST, name="third", inputs=lambda _: {"first": Path("a"), "second": Path("b")})
    with pytest.raises(DataError, match="b: made from another a than the one there now"):
        execute(third, settings_of("c"))


def test_what_the_stage_did_not_write_is_not_replaced() -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    Path("file").touch()
    execute(SECOND, settings_of("theirs"))
    for output, says in (
        ("mine", "holds files that are not ours"),
        ("file", "is a file"),
        ("theirs", "holds the output of second"),
    ):
        with pytest.raises(ConfigError, match=says):
            execute(FIRST, settings_of(output))
    assert Path("mine/thesis.tex").exists()
    Path("empty").mkdir()
    execute(FIRST, settings_of("empty"))
    assert Path("empty/out.txt").exists()


def test_a_damaged_output_can_be_made_again() -> None:
    execute(FIRST, settings_of("out"))
    Path("out/record.json").write_text("{")
    execute(FIRST, settings_of("out"))
    assert "first" in Path("out/record.json").read_text()
