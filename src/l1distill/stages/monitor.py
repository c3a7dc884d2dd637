"""monitor: new events against those that the champion was promoted with; drift is status 3."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import Field

from l1distill.core.errors import DataError
from l1distill.core.terminal import console
from l1distill.core.workspace import write_json
from l1distill.data.dataset import Dataset
from l1distill.evaluation.monitoring import DriftLimits, DriftReport, compare_with_reference
from l1distill.executor.settings import ExecutorSettings, ProcessesSettings
from l1distill.reporting import drift, markdown
from l1distill.reporting.pictures import write_captions
from l1distill.stages.firmware_answers import inputs_and_scores
from l1distill.stages.services import generation_services
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tracking.champion import Champion, fetch_champion, find_champion

REPORT = "drift.json"
"""File with every comparison."""
HEADLINE = ("drift/score_psi", "drift/score_ks", "drift/rate_new", "drift/inputs_psi")


class Settings(StageSettings):
    """Settings of ``l1distill monitor``; ``data`` names the new events."""

    executor: ExecutorSettings = ProcessesSettings()
    """Where events are generated, if they are."""
    drift: DriftLimits = DriftLimits()
    """From where on a difference is an alarm."""
    input_rate_khz: float | None = Field(default=None, gt=0)
    """Rate of events like these before the trigger [kHz]; null leaves out rates in kHz."""
    output: Path = Path("outputs/monitor")
    """Folder that the stage writes."""


def _inputs(_: Settings) -> Mapping[str, Path]:
    return {}


def _check(settings: Settings, task: Task) -> None:
    find_champion(settings.tracking)
    task.check_sources(settings.data)


def _run(settings: Settings, context: Context) -> Result:
    dataset = _new_events(settings, context)
    with tempfile.TemporaryDirectory(prefix="l1distill-champion-") as folder:
        champion = fetch_champion(settings.tracking, Path(folder))
    recorded, name = champion.reference, f"{champion.name} version {champion.version}"
    before: drift.Columns = {"inputs": recorded.inputs, "scores": recorded.scores}
    now = _seen_by(champion, name, dataset)
    report = compare_with_reference(
        before, now, recorded.features, recorded.threshold, settings.drift
    )
    _write(report, champion, dataset, context.folder)
    pictures = drift.draw(
        report, recorded.features, before, now, recorded.threshold, context.folder
    )
    write_captions(pictures, context.folder)
    found = drift.conclusion(report, name, settings.input_rate_khz)
    rows = drift.rows(report)
    _print(name, rows)
    if not report.drifted:  # else the refusal says it
        print(found)
    metrics = report.to_metrics(settings.input_rate_khz)
    return Result(
        metrics=metrics,
        headline=tuple(metric for metric in HEADLINE if metric in metrics),
        dataset_md5=dataset.md5,
        dataset=settings.data.name,
        sources={"champion_bundle": champion.bundle_sha256},
        refusal=found if report.drifted else "",
        note=f"{found}\n\n{markdown.table(drift.COLUMNS, rows)}",
    )


def _new_events(settings: Settings, context: Context) -> Dataset:
    """Generate or import the new events into a folder that goes away with the stage's work."""
    folder = context.work / "events"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    services = generation_services(settings.executor, settings.output, context.work)
    context.task.generate(settings.data, folder, services)
    return context.task.open(folder)


def _seen_by(champion: Champion, name: str, dataset: Dataset) -> drift.Columns:
    """Return inputs and scores of the new events, as the champion has them.

    Raises:
        DataError: the champion does not take such events.
    """
    items = dataset.training.items.values
    try:
        champion.encoding.check(items)
        inputs, scores = inputs_and_scores(champion.encoding, champion.emulator, items)
    except ValueError as error:
        raise DataError(f"{name} does not take these events: {error}") from error
    return {"inputs": inputs, "scores": scores}


def _write(report: DriftReport, champion: Champion, dataset: Dataset, folder: Path) -> None:
    content = {
        "model": champion.name,
        "version": champion.version,
        "reference_run": champion.run_id,
        "reference_dataset_md5": champion.reference.dataset_md5,
        "dataset_md5": dataset.md5,
        "threshold": champion.reference.threshold,
        "events": report.events,
        "rate": None if report.rate is None else asdict(report.rate),
        "findings": [asdict(finding) for finding in report.findings],
    }
    write_json(folder / REPORT, content)


def _print(name: str, rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(title=f"new events and {name}", title_justify="left")
    for column in drift.COLUMNS:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console(log_width=120).print(table)


STAGE = Stage(
    name="monitor",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.json", "plots/*"),
    check=_check,
)
