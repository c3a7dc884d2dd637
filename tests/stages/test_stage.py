"""How every stage is run: with stages of our own that do next to nothing."""

import re
import resource
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import mlflow
import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from l1distill.core.errors import ConfigError, ResourceError
from l1distill.core.workspace import folder_sha256
from l1distill.executor import ProcessesSettings
from l1distill.stages.stage import Context, DataSettings, Result, Stage, StageSettings, execute
from l1distill.tracking import TrackingSettings


class Settings(StageSettings):
    source: Path | None = None
    text: str = "hello"


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
    (context.folder / "out.txt").write_text(settings.text)
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
    return Result({"length": float(len(settings.text))}, "0" * 32)


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {} if settings.source is None else {"first": settings.source}


FIRST = Stage("first", Settings, _inputs, _write, artifacts=("out.txt",))
SECOND = FIRST._replace(name="second")


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


def _settings(output: str, **changes: object) -> Settings:
    return Settings(
        seed=1,
        executor=ProcessesSettings(kind="processes", workers=None),
        output=Path(output),
        data=DataSettings.model_validate({"name": "anomaly", "folder": "data", "generator": {}}),
        tracking=TrackingSettings(experiment="test", uri=None, model_name="m"),
        **changes,  # type: ignore[arg-type]
    )


def _runs(stage: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.stage = '{stage}'"))


def test_a_stage_writes_its_folder_and_its_run() -> None:
    execute(FIRST, _settings("out"), {"seed": 1, "output": "out", "tracking.uri": None})
    assert {path.name for path in Path("out").iterdir()} == {
        "out.txt",
        "metrics.json",
        "record.json",
    }
    (run,) = _runs("first")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "1", "output": "out", "tracking.uri": "None"}
    assert run.data.metrics == {"length": 5.0}
    assert run.data.tags["output_sha256"] == folder_sha256(Path("out"))


def test_where_it_ran_does_not_change_what_comes_out() -> None:
    for output in ("a", "b"):
        parameters = {
            "seed": 1,
            "output": output,
            "executor.workers": None,
            "tracking.experiment": output,
        }
        execute(FIRST, _settings(output), parameters)
    assert folder_sha256(Path("a")) == folder_sha256(Path("b"))


def test_a_failure_leaves_the_old_output_and_a_failed_run() -> None:
    execute(FIRST, _settings("out"), {})
    before = folder_sha256(Path("out"))
    with pytest.raises(RuntimeError, match="boom"):
        execute(FIRST, _settings("out", text="boom"), {})
    assert folder_sha256(Path("out")) == before
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


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
    execute(FIRST, _settings("out"), {})
    before = folder_sha256(Path("out"))
    with pytest.raises(ResourceError, match=says) as error:
        execute(FIRST, _settings("out", text=fault), {})
    assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    assert not Path(".out.part").exists()
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


def test_a_full_store_is_one_line_that_names_it(folder: Path) -> None:
    execute(FIRST, _settings("out"), {})
    before = folder_sha256(Path("out"))

    def many(settings: Settings, context: Context) -> Result:
        context.run.log_parameters({f"key{number}": "x" * 400 for number in range(2000)})
        return _write(settings, context)

    names = f"MLflow store sqlite:///{folder}/mlflow.db: database or disk is full; make room"
    for stage in (FIRST._replace(run=many), FIRST):  # the second has no room for its run alone
        with full_database(), pytest.raises(ResourceError, match=re.escape(names)) as error:
            parameters = {f"key{number}": "x" * 400 for number in range(100)}
            execute(stage, _settings("out", text="other"), parameters)
        assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    execute(FIRST, _settings("out"), {})  # there is room again; open runs are ended
    assert _runs("first")[0].info.status == "FINISHED"
    assert {run.info.status for run in _runs("first")} <= {"FINISHED", "FAILED", "KILLED"}


def test_a_full_artifact_folder_is_one_line_that_names_it(folder: Path) -> None:
    execute(FIRST, _settings("out"), {})
    before = folder_sha256(Path("out"))
    database = Path("mlflow.db").stat().st_size
    with pytest.raises(ResourceError, match=r"/artifacts.*: File too large; make room") as error:
        large = _settings("out", text="x" * (3 * database))
        with ExitStack() as stack:

            def then_full(settings: Settings, context: Context) -> Result:
                result = _write(settings, context)
                stack.enter_context(limited(2 * database))
                return result

            execute(FIRST._replace(run=then_full), large, {})
    assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


def test_a_failure_is_said_also_where_the_store_can_no_longer_take_it() -> None:
    def broken(settings: Settings, context: Context) -> Result:
        Path("mlflow.db").unlink()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        execute(FIRST._replace(run=broken), _settings("out"), {})


def test_lineage_points_at_the_run_that_made_the_input() -> None:
    execute(FIRST, _settings("a"), {})
    execute(SECOND, _settings("b", source="a"), {})
    assert _runs("second")[0].data.tags["first_run"] == _runs("first")[0].info.run_id


def test_an_input_of_another_stage_is_refused() -> None:
    execute(SECOND, _settings("a"), {})
    with pytest.raises(ConfigError, match="a: written by the stage second, needed from first"):
        execute(SECOND, _settings("b", source="a"), {})
    assert not Path("b").exists()


def test_inputs_that_were_not_made_from_one_another_are_refused() -> None:
    execute(FIRST, _settings("a"), {})
    execute(SECOND, _settings("b", source="a"), {})
    execute(FIRST, _settings("a", text="another"), {})
    third = FIRST._replace(name="third", inputs=lambda _: {"first": Path("a"), "second": Path("b")})
    with pytest.raises(ConfigError, match="b: made from another a than the one there now"):
        execute(third, _settings("c"), {})


def test_what_the_stage_did_not_write_is_not_replaced() -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    Path("file").touch()
    execute(SECOND, _settings("theirs"), {})
    for output, says in (
        ("mine", "holds files that are not ours"),
        ("file", "is a file"),
        ("theirs", "holds the output of second"),
    ):
        with pytest.raises(ConfigError, match=says):
            execute(FIRST, _settings(output), {})
    assert Path("mine/thesis.tex").exists()
    Path("empty").mkdir()
    execute(FIRST, _settings("empty"), {})
    assert Path("empty/out.txt").exists()


def test_a_damaged_output_can_be_made_again() -> None:
    execute(FIRST, _settings("out"), {})
    Path("out/record.json").write_text("{")
    execute(FIRST, _settings("out"), {})
    assert "first" in Path("out/record.json").read_text()
