"""promote: metrics against gates; a registered version, and perhaps a champion."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from l1distill.artifacts.folders import (
    INPUTS,
    STUDENT_MODEL,
    FirmwareFolder,
    PromotionFolder,
    StudentFolder,
)
from l1distill.artifacts.record import ModelSpec, Record
from l1distill.core.errors import DataError
from l1distill.firmware.files import BUNDLE, EMULATOR
from l1distill.registry.gates import Gate, Verdict, judge
from l1distill.registry.verdict_table import print_verdict
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tracking.registry import register


class Settings(StageSettings):
    """Settings of ``l1distill promote``."""

    gates: dict[str, Gate] = Field(min_length=1)
    """Thresholds that all must be met, by their name."""
    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    student_folder: Path = Path("models/student")
    """Output of ``l1distill student``."""
    firmware_folder: Path = Path("firmware/student")
    """Output of ``l1distill synthesize``."""
    output: Path = Path("promotion")
    """Folder that the stage writes."""


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {
        "teacher": settings.teacher_folder,
        "student": settings.student_folder,
        "synthesize": settings.firmware_folder,
    }


def _check(settings: Settings, _: Task) -> None:
    if "student" not in Record.read(settings.firmware_folder).inputs:
        raise DataError(
            f"firmware_folder={settings.firmware_folder}: is not the firmware of a student of the "
            "pipeline but of a model= of its own, which has no physics to be judged by"
        )


def _run(settings: Settings, context: Context) -> Result:
    student = StudentFolder(settings.student_folder)
    firmware = FirmwareFolder(settings.firmware_folder)
    # The report's own figures come last: it is checked for completeness when it is read.
    metrics = {**student.metrics(), **firmware.metrics(), **firmware.report().to_metrics()}
    verdicts = judge(settings.gates, metrics)
    passed = all(verdict.passed for verdict in verdicts)
    content = _content_sha256(context)
    context.run.log_parameters(
        context.records["student"].section("student", "distillation", "compression")
        | context.records["synthesize"].section("firmware")
    )
    model = _collect(student, firmware, context.folder / "model")
    model_id = context.run.log_model(MODEL, model, {"content_sha256": content})
    context.run.log_metrics(metrics, model_id=model_id)
    registration = register(
        context.run.client,
        settings.tracking.model_name,
        model_id,
        content,
        _tags(verdicts, passed),
        passed,
    )
    PromotionFolder(context.folder).write_verdict(passed, registration.name, verdicts)
    print_verdict(verdicts, f"{registration.name} version {registration.version}", passed)
    return Result(
        metrics={
            "promoted": float(passed),
            "gates": float(len(verdicts)),
            "gates_failed": float(sum(not verdict.passed for verdict in verdicts)),
        },
        headline=("promoted",),
        dataset_md5=context.records["student"].dataset_md5,
    )


def _collect(student: StudentFolder, firmware: FirmwareFolder, target: Path) -> Path:
    """Copy what the registered model is made of into one folder."""
    target.mkdir()
    for folder, names in ((student, (INPUTS, STUDENT_MODEL)), (firmware, (EMULATOR, BUNDLE))):
        for name in names:
            shutil.copy(folder.path / name, target / name)
    return target


def _content_sha256(context: Context) -> str:
    """Identify the candidate by what it is made of, not by any id."""
    parts = (context.records["synthesize"].inputs["student"], context.hashes["synthesize"])
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _tags(verdicts: Sequence[Verdict], passed: bool) -> dict[str, str]:
    """Return a version's tags: each gate's value and verdict, and the verdict on the whole."""
    tags = {"verdict": "passed" if passed else "refused"}
    for verdict in verdicts:
        value = "missing" if verdict.value is None else f"{verdict.value:.6g}"
        outcome = "passed" if verdict.passed else "refused"
        tags[f"gate.{verdict.gate}"] = f"{outcome}: {value} ({verdict.threshold})"
    return tags


MODEL = ModelSpec(
    name="trigger",
    script="l1distill.tracking.served.trigger",
    artifacts={
        "inputs": INPUTS,
        "emulator": EMULATOR,
        "bundle": BUNDLE,
        "student": STUDENT_MODEL,
    },
    requirements=["numpy", "alkaid", "h5py", "pydantic", "mlflow"],
)

STAGE = Stage(
    name="promote",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("verdict.json",),
    check=_check,
)
