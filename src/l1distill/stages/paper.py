"""paper: logged runs of teachers, students and firmware, as a paper's tables."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.core.errors import ConfigError
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tracking.lookup import StoredRuns


class Settings(StageSettings):
    """Settings of ``l1distill paper``."""

    teachers: str = "govorkova_teachers"
    """The experiment whose runs are the models in floating point."""
    scan: str = "govorkova_scan"
    """The experiment whose runs are those in fixed point."""
    firmware: str = "published_firmware"
    """The experiment whose runs are their firmware."""
    nodes: str = "autopruner_nodes"
    """Of task=jets: the experiment whose students were left with few nodes."""
    stability: str = "autopruner_stability"
    """Likewise the one with many seeds."""
    distilled: str = "autopruner_distilled"
    """Likewise the one whose students learned from a teacher."""
    features: str = "autopruner_features"
    """Likewise the one with few input features."""
    output: Path = Path("outputs/govorkova/paper")
    """Folder that the stage writes."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _check(_: Settings, task: Task) -> None:
    if task.study() is None:
        raise ConfigError(
            f"task={task.name}: has no study to write; paper is for task=anomaly and task=jets"
        )


def _run(settings: Settings, context: Context) -> Result:
    dataset = context.task.open(settings.data.folder)
    study = context.task.study()
    assert study is not None
    experiments = {
        "teachers": settings.teachers,
        "scan": settings.scan,
        "firmware": settings.firmware,
        "nodes": settings.nodes,
        "stability": settings.stability,
        "distilled": settings.distilled,
        "features": settings.features,
    }
    runs = StoredRuns(context.run.client)
    metrics = study.write(runs, dataset, experiments, context.folder)
    return Result(metrics=metrics, dataset_md5=dataset.md5)


STAGE = Stage(
    name="paper",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("index.html", "report.md", "plots/*.png"),
    check=_check,
)
