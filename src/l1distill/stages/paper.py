"""paper: logged runs of teachers, students, firmware and searches, as a paper's tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from l1distill.core.errors import ConfigError
from l1distill.stages.paper_searches import write_search_study
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tracking.lookup import StoredRuns


class Settings(StageSettings):
    """Settings of ``l1distill paper``."""

    study: Literal["task", "searches"] = "task"
    """``task``: the study of the task; ``searches``: what ``l1distill search`` found."""
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
    graphs: str = "pileup_teachers"
    """Of task=pileup: the experiment whose runs are graph teachers, of several seeds."""
    floats: str = "pileup_float"
    """Likewise the one whose students are in floating point."""
    fixed: str = "pileup_8bit"
    """Likewise the one whose students are in fixed point."""
    searches: list[str] = Field(
        default=["search_post", "search_co", "search_front", "search_hgq"], min_length=1
    )
    """Of study=searches: the experiments of long searches; the newest of each strategy counts."""
    repeats: str = "search_repeats"
    """Likewise that of short searches with several seeds, by which strategies are compared."""
    output: Path = Path("outputs/govorkova/paper")
    """Folder that the stage writes."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _check(settings: Settings, task: Task) -> None:
    if settings.study == "task" and task.study() is None:
        raise ConfigError(
            f"task={task.name}: has no study to write; paper is for task=anomaly and task=jets, or "
            "for study=searches"
        )


def _run(settings: Settings, context: Context) -> Result:
    dataset = context.task.open(settings.data.folder)
    runs = StoredRuns(context.run.client)
    if settings.study == "searches":
        metrics = write_search_study(
            runs, dataset, settings.searches, settings.repeats, context.folder
        )
        return Result(metrics=metrics, dataset_md5=dataset.md5)
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
        "graphs": settings.graphs,
        "floats": settings.floats,
        "fixed": settings.fixed,
    }
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
