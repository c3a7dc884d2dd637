"""report: what the line found, on one page."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.core.workspace import read_json, write_text
from l1distill.firmware.results.report import Figures
from l1distill.reporting.page import Line, render
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import open_dataset
from l1distill.tasks.anomaly.plots.events import pictures_of
from l1distill.tracking import read_metrics

PICTURES = (
    ("Student (solid) and teacher (dashed) on every signal", "student_folder", "roc"),
    ("The student's score, quantized as in firmware", "student_folder", "scores"),
    ("The teacher's score", "teacher_folder", "scores"),
    ("Training of the teacher", "teacher_folder", "history"),
    ("Training of the student", "student_folder", "history"),
)


class Settings(StageSettings):
    """What ``l1distill report`` is told."""

    teacher_folder: Path
    student_folder: Path
    firmware_folder: Path
    promotion_folder: Path


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {
        "generate": settings.data.folder,
        "teacher": settings.teacher_folder,
        "student": settings.student_folder,
        "synthesize": settings.firmware_folder,
        "promote": settings.promotion_folder,
    }


def _run(settings: Settings, context: Context) -> Result:
    dataset = open_dataset(settings.data.folder)
    verdict = read_json(settings.promotion_folder / "verdict.json")
    page, markdown = render(
        Line(
            card=dataset.card,
            dataset_md5=dataset.md5,
            teacher=read_metrics(settings.teacher_folder),
            student=read_metrics(settings.student_folder),
            figures=Figures.load(settings.firmware_folder / "synthesis.json"),
            device=str(context.records["synthesize"].parameters["firmware.device.name"]),
            verdict=verdict,
            pictures=[
                (caption, getattr(settings, folder) / "plots" / f"{name}.png")
                for caption, folder, name in PICTURES
            ],
            data_pictures=pictures_of(settings.data.folder / "plots"),
        )
    )
    write_text(context.folder / "index.html", page)
    write_text(context.folder / "report.md", markdown)
    return Result({"promoted": float(verdict["passed"])}, dataset.md5)


STAGE = Stage(
    name="report",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("index.html", "report.md"),
)
