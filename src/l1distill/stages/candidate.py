"""The student that is to be promoted: evidence, card, reference and files of its model."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.artifacts.folders import (
    INPUTS,
    STUDENT_MODEL,
    FirmwareFolder,
    PromotionFolder,
    StudentFolder,
    TeacherFolder,
)
from l1distill.core.workspace import file_sha256
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import BUNDLE, EMULATOR
from l1distill.registry.card import StudentCard, firmware_table, structure_table
from l1distill.registry.decision import as_candidate
from l1distill.registry.evidence import Evidence, content_sha256
from l1distill.registry.judgment import judge
from l1distill.registry.reference import Reference, threshold_of
from l1distill.reporting.tables import Table
from l1distill.stages.comparison import comparison_tables
from l1distill.stages.firmware_answers import inputs_and_scores
from l1distill.stages.stage import Context, Inputs, Result
from l1distill.tracking.promotion import standing
from l1distill.tracking.registry import ModelRegistry

if TYPE_CHECKING:
    from l1distill.stages.promote import Settings

OF_STUDENT, OF_FIRMWARE = (INPUTS, STUDENT_MODEL), (EMULATOR, BUNDLE)
"""Files of the registered model, by the folder that they come from."""


def gather_evidence(settings: "Settings", inputs: Inputs) -> Evidence:
    """Gather what was measured of the student, its firmware and its teacher.

    Args:
        settings: of the stage.
        inputs: records and hashes of what it reads.
    """
    firmware = FirmwareFolder(settings.firmware_folder)
    report = firmware.report()
    device = inputs.records["synthesize"].section("firmware")
    metrics = {
        **StudentFolder(settings.student_folder).metrics(),
        **firmware.metrics(),
        # The report's own figures come last: it is checked for completeness when it is read.
        **report.to_metrics(),
    }
    clock_mhz = float(device["firmware.device.clock_mhz"])
    metrics["firmware/clock_mhz"] = clock_mhz
    metrics["firmware/ii_ns"] = metrics["firmware/ii_cycles"] * 1000.0 / clock_mhz
    return Evidence(
        content_sha256=content_sha256(
            inputs.records["synthesize"].inputs["student"], inputs.hashes["synthesize"]
        ),
        dataset_md5=inputs.records["student"].dataset_md5,
        metrics=metrics,
        teacher_metrics=TeacherFolder(settings.teacher_folder).metrics(),
        estimates=tuple(entry.name for entry in report.entries if entry.kind == "estimate"),
        files={
            name: file_sha256(folder / name)
            for folder, names in (
                (settings.student_folder, OF_STUDENT),
                (settings.firmware_folder, OF_FIRMWARE),
            )
            for name in names
        },
    )


def make_card(settings: "Settings", context: Context, evidence: Evidence) -> StudentCard:
    """Gather what the registry shows of the student.

    Args:
        settings: of the stage.
        context: of the stage.
        evidence: of :func:`gather_evidence`.
    """
    task, student = context.task, StudentFolder(settings.student_folder)
    about = task.describe()
    device = str(context.records["synthesize"].parameters["firmware.device.name"])
    physics = comparison_tables(task, evidence.teacher_metrics, student.metrics())
    figures = firmware_table(evidence.metrics, device, task.firmware_in_papers())
    kept = student.structure()
    structure = [] if kept is None else [structure_table(kept)]
    return StudentCard(
        title=about.title,
        summary=about.summary,
        shape=student.encoding.shape,
        # what stands beside published figures comes first: descriptions have no room for all
        tables=[
            *(table for table in physics if _is_compared(table)),
            *(figures, *structure),
            *(table for table in physics if not _is_compared(table)),
        ],
        pictures=[
            ("student", picture.path.relative_to(student.path).as_posix(), picture.caption)
            for picture in student.pictures()
        ],
        limitations=about.limitations,
    )


def _is_compared(table: Table) -> bool:
    return any("published" in column.name for column in table.columns)


def judge_candidate(settings: "Settings", context: Context, evidence: Evidence) -> Result:
    """Judge a student by the gates alone, and write the verdict; nothing is registered.

    Args:
        settings: of the stage.
        context: of the stage.
        evidence: of :func:`gather_evidence`.
    """
    registry = ModelRegistry(context.run.client, settings.tracking.model_name)
    champion = standing(registry, evidence.content_sha256)
    decision = as_candidate(judge(settings.gates, evidence, champion.evidence))
    PromotionFolder(context.folder).write_verdict(decision, settings.gate_profile, registry.name)
    context.run.log_metrics(evidence.metrics)
    failed = sum(not verdict.passed for verdict in decision.verdicts)
    return Result(
        metrics={
            "promoted": 0.0,
            "gates": float(len(decision.verdicts)),
            "gates_failed": float(failed),
        },
        headline=("gates_failed",),
        dataset_md5=evidence.dataset_md5,
        note=f"A candidate, **{decision.outcome.value}**: {decision.reason}",
    )


def make_reference(settings: "Settings", context: Context) -> Reference:
    """Score events that the student was not trained on, as its firmware does.

    Args:
        settings: of the stage.
        context: of the stage.
    """
    dataset = context.task.open(settings.data.folder)
    rows = dataset.evaluation_rows(dataset.training_sample)
    items = dataset.training.items.values[rows][: settings.reference.events]
    encoding = StudentFolder(settings.student_folder).encoding
    emulator = Emulator.load(settings.firmware_folder / EMULATOR)
    inputs, scores = inputs_and_scores(encoding, emulator, items)
    return Reference(
        dataset_md5=dataset.md5,
        features=tuple(feature.label for feature in encoding.features),
        inputs=inputs,
        scores=scores,
        threshold=threshold_of(scores, settings.reference.false_positive_rate),
    )


def collect_model(student: StudentFolder, firmware: FirmwareFolder, target: Path) -> Path:
    """Copy what the registered model is made of into one folder.

    Args:
        student: the student's.
        firmware: that of its firmware.
        target: the folder, which is made.
    """
    target.mkdir()
    for folder, names in ((student, OF_STUDENT), (firmware, OF_FIRMWARE)):
        for name in names:
            shutil.copy(folder.path / name, target / name)
    return target
