"""paper: logged runs of teachers, students, firmware and searches, as a paper's tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from l1distill.core.errors import ConfigError
from l1distill.stages.paper_searches import SearchStudy
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Study, Task
from l1distill.tracking.lookup import StoredRuns
from l1distill.tracking.store import connect_to_existing

_EXPERIMENTS = (
    *("teachers", "scan", "firmware"),
    *("nodes", "stability", "distilled", "features"),
    *("graphs", "floats", "fixed"),
    "repeats",
)
"""Keys that name one experiment each."""


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


def _study(settings: Settings, task: Task) -> Study:
    if settings.study == "searches":
        return SearchStudy(settings.searches)
    study = task.study()
    if study is None:
        raise ConfigError(
            f"task={task.name}: has no study to write; take another task=, or study=searches"
        )
    return study


def _experiments(settings: Settings) -> Mapping[str, str]:
    return {name: getattr(settings, name) for name in _EXPERIMENTS}


def _check(settings: Settings, task: Task) -> None:
    study, runs = _study(settings, task), StoredRuns(connect_to_existing(settings.tracking))
    study.check(runs, task.open(settings.data.folder), _experiments(settings))


def _run(settings: Settings, context: Context) -> Result:
    dataset = context.task.open(settings.data.folder)
    metrics = _study(settings, context.task).write(
        StoredRuns(context.run.client), dataset, _experiments(settings), context.folder
    )
    return Result(metrics=metrics, dataset_md5=dataset.md5)


STAGE = Stage(
    name="paper",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("index.html", "report.md", "plots/*.png"),
    check=_check,
)
