"""How every stage is run: with stages of our own that do next to nothing."""

import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlflow
import pytest

from l1distill.errors import InputError
from l1distill.executor import ProcessesSettings
from l1distill.stages.stage import Context, DataSettings, Result, Stage, StageSettings, execute
from l1distill.tracking import TrackingSettings
from l1distill.workspace import folder_sha256


class Settings(StageSettings):
    source: Path | None = None
    text: str = "hello"


def _write(settings: Settings, context: Context) -> Result:
    (context.folder / "out.txt").write_text(settings.text)
    if settings.text == "boom":
        raise RuntimeError("boom")
    if settings.text == "full":
        (context.folder / "full.txt").symlink_to("/dev/full")
        (context.folder / "full.txt").write_text(settings.text)
    if settings.text == "huge":
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            (context.folder / "out.txt").write_text(settings.text * 1000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    if settings.text == "memory":
        bytes(2**62)
    return Result({"length": float(len(settings.text))}, "0" * 32)


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {} if settings.source is None else {"first": settings.source}


FIRST = Stage("first", Settings, _inputs, _write, artifacts=("out.txt",))
SECOND = FIRST._replace(name="second")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
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
        ("memory", "out: out of memory"),
    ],
)
def test_a_full_disk_or_memory_is_one_line(fault: str, says: str) -> None:
    execute(FIRST, _settings("out"), {})
    before = folder_sha256(Path("out"))
    with pytest.raises(InputError, match=says) as error:
        execute(FIRST, _settings("out", text=fault), {})
    assert "\n" not in str(error.value)
    assert folder_sha256(Path("out")) == before
    assert not Path(".out.part").exists()
    assert sorted(run.info.status for run in _runs("first")) == ["FAILED", "FINISHED"]


def test_lineage_points_at_the_run_that_made_the_input() -> None:
    execute(FIRST, _settings("a"), {})
    execute(SECOND, _settings("b", source="a"), {})
    assert _runs("second")[0].data.tags["first_run"] == _runs("first")[0].info.run_id


def test_an_input_of_another_stage_is_refused() -> None:
    execute(SECOND, _settings("a"), {})
    with pytest.raises(InputError, match="a: written by the stage second, needed from first"):
        execute(SECOND, _settings("b", source="a"), {})
    assert not Path("b").exists()


def test_inputs_that_were_not_made_from_one_another_are_refused() -> None:
    execute(FIRST, _settings("a"), {})
    execute(SECOND, _settings("b", source="a"), {})
    execute(FIRST, _settings("a", text="another"), {})
    third = FIRST._replace(name="third", inputs=lambda _: {"first": Path("a"), "second": Path("b")})
    with pytest.raises(InputError, match="b: made from another a than the one there now"):
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
        with pytest.raises(InputError, match=says):
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
