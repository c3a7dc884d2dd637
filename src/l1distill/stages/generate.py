"""generate: a data set of the task, from a generator or from files of the user's."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.core.workspace import write_text
from l1distill.executor.choice import check_executor
from l1distill.executor.settings import ExecutorSettings, ProcessesSettings
from l1distill.reporting.data_page import render
from l1distill.reporting.pictures import write_captions
from l1distill.stages.services import generation_services
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task


class Settings(StageSettings):
    """Settings of ``l1distill generate``."""

    executor: ExecutorSettings = ProcessesSettings()
    """Where the work is done: processes on this machine or a cluster."""


def _inputs(_: Settings) -> Mapping[str, Path]:
    return {}


def _check(settings: Settings, task: Task) -> None:
    task.check_sources(settings.data)
    check_executor(settings.executor)


def _run(settings: Settings, context: Context) -> Result:
    task = context.task
    services = generation_services(settings.executor, settings.output, context.work)
    pictures = task.generate(settings.data, context.folder, services)
    write_captions(pictures, context.folder)
    dataset = task.open(context.folder)
    page = render(dataset, pictures, task.data_notes())
    write_text(context.folder / "index.html", page)
    card = dataset.card
    metrics = {
        **{f"events/{name}": float(file.events) for name, file in card.files.items()},
        **{f"acceptance/{name}": sample.acceptance for name, sample in card.samples.items()},
        **{f"check/{name}": value for name, value in card.checks.items()},
    }
    return Result(metrics=metrics, dataset_md5=dataset.md5)


STAGE = Stage(
    name="generate",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.json", "index.html", "plots/*"),
    check=_check,
    kept_in_sweeps=True,
)
