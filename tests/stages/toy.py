"""Stages that do next to nothing, run as every stage is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from l1distill.stages import execution
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tasks.settings import DataSettings, TaskSettings
from l1distill.tracking.lease import LENGTH_S
from l1distill.tracking.settings import TrackingSettings


class Settings(StageSettings):
    source: Path | None = None
    text: str = "hello"


@dataclass(frozen=True)
class Named:
    """All of a task that the execution of a stage may look at."""

    name: str


def execute(
    stage: Stage[Any],
    settings: Settings,
    parameters: Mapping[str, Any] | None = None,
    task: str = "toy",
) -> None:
    """Run a stage as the command line does, which logs the whole configuration."""
    logged = {"task.name": task, **(parameters or {})}
    execution.execute(stage, settings, cast(Task, Named(task)), logged)


def settings_of(
    output: str, experiment: str = "test", lease_s: float = LENGTH_S, **changes: object
) -> Settings:
    """Settings of a stage; runs go where MLflow is told."""
    return Settings(
        task=TaskSettings(name="toy", module="toy"),
        seed=1,
        output=Path(output),
        data=DataSettings(name="numbers", folder=Path("data")),
        tracking=TrackingSettings(experiment=experiment, uri=None, model_name="m", lease_s=lease_s),
        **changes,  # type: ignore[arg-type]
    )


def write(settings: Settings, context: Context) -> Result:
    """Writes a file."""
    (context.folder / "out.txt").write_text(settings.text)
    metrics = {"length": float(len(settings.text)), "letters": float(len(set(settings.text)))}
    return Result(metrics=metrics, headline=("letters",), dataset_md5="0" * 32)


def inputs(settings: Settings) -> Mapping[str, Path]:
    """Returns the folder of another stage, if it is named."""
    return {} if settings.source is None else {"first": settings.source}


FIRST = Stage(name="first", settings=Settings, inputs=inputs, run=write, artifacts=("out.txt",))


def replace_run(run: Callable[[Settings, Context], Result]) -> Stage[Settings]:
    """Returns the stage with other work."""
    return replace(FIRST, run=run)
