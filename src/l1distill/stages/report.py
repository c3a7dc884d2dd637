"""report: what the pipeline found, on one page."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.artifacts.folders import (
    FirmwareFolder,
    PromotionFolder,
    StageFolder,
    StudentFolder,
    TeacherFolder,
)
from l1distill.core.workspace import write_text
from l1distill.reporting.page import PipelineReport, render
from l1distill.stages.comparison import comparison_tables
from l1distill.stages.stage import Context, Result, Stage, StageSettings


class Settings(StageSettings):
    """Settings of ``l1distill report``."""

    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    student_folder: Path = Path("models/student")
    """Output of ``l1distill student``."""
    firmware_folder: Path = Path("firmware/student")
    """Output of ``l1distill synthesize``."""
    promotion_folder: Path = Path("promotion")
    """Output of ``l1distill promote``."""
    output: Path = Path("report")
    """Folder that the stage writes."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {
        "generate": settings.data.folder,
        "teacher": settings.teacher_folder,
        "student": settings.student_folder,
        "synthesize": settings.firmware_folder,
        "promote": settings.promotion_folder,
    }


def _run(settings: Settings, context: Context) -> Result:
    dataset = context.task.open(settings.data.folder)
    teacher, student = (
        TeacherFolder(settings.teacher_folder),
        StudentFolder(settings.student_folder),
    )
    verdict = PromotionFolder(settings.promotion_folder).verdict()
    report = PipelineReport(
        card=dataset.card,
        dataset_md5=dataset.md5,
        comparisons=comparison_tables(context.task, teacher.metrics(), student.metrics()),
        synthesis=FirmwareFolder(settings.firmware_folder).report(),
        device=str(context.records["synthesize"].parameters["firmware.device.name"]),
        verdict=verdict,
        pictures=[*student.pictures(), *teacher.pictures()],
        data_pictures=StageFolder(settings.data.folder).pictures(),
    )
    page, markdown = render(report)
    write_text(context.folder / "index.html", page)
    write_text(context.folder / "report.md", markdown)
    return Result(
        metrics={"promoted": float(verdict["outcome"] == "champion")}, dataset_md5=dataset.md5
    )


STAGE = Stage(
    name="report",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("index.html", "report.md"),
)
