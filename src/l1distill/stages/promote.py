"""promote: figures against thresholds; a registered version, and perhaps a champion."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import write_json
from l1distill.firmware.results.report import Figures
from l1distill.registry.gates import Gate, Verdict, judge
from l1distill.registry.verdict_table import print_verdict
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tracking import ModelSpec, read_metrics


class Settings(StageSettings):
    """What ``l1distill promote`` is told."""

    gates: dict[str, Gate] = Field(min_length=1)
    teacher_folder: Path
    student_folder: Path
    firmware_folder: Path


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {
        "teacher": settings.teacher_folder,
        "student": settings.student_folder,
        "synthesize": settings.firmware_folder,
    }


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.tracking.registry import register

    if "student" not in context.records["synthesize"].inputs:
        raise ConfigError(
            f"firmware_folder={settings.firmware_folder}: is not the firmware of a student of the "
            "line but of a model= of its own, which has no physics to be judged by"
        )
    metrics = {
        **read_metrics(settings.student_folder),
        **read_metrics(settings.firmware_folder),
        # The report's own figures come last: it is checked for completeness when it is read.
        **Figures.load(settings.firmware_folder / "synthesis.json").to_metrics(),
    }
    context.run.log_parameters(_candidate(context))
    verdicts = judge(settings.gates, metrics)
    passed = all(verdict.passed for verdict in verdicts)

    model = context.folder / "model"
    model.mkdir()
    for source in (
        settings.student_folder / "inputs.json",
        settings.student_folder / "student.h5",
        settings.firmware_folder / "emulator.json",
        settings.firmware_folder / "bundle.tar.gz",
    ):
        shutil.copy(source, model / source.name)
    content = _content_sha256(context)
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
    write_json(
        context.folder / "verdict.json",
        {
            "passed": passed,
            "model": registration.name,
            "gates": [verdict._asdict() for verdict in verdicts],
        },
    )
    print_verdict(verdicts, f"{registration.name} version {registration.version}")
    failed = sum(not verdict.passed for verdict in verdicts)
    print(
        f"{registration.name} version {registration.version} "
        + ("is champion" if passed else f"is refused: {failed} of {len(verdicts)} gates failed")
    )
    summary = {
        "promoted": float(passed),
        "gates": float(len(verdicts)),
        "gates_failed": float(failed),
    }
    dataset_md5 = context.records["student"].dataset_md5
    return Result(summary, dataset_md5)


def _candidate(context: Context) -> dict[str, Any]:
    """What the candidate was made with, so that promotions can be compared in one table."""
    sections = {"student": ("student", "distillation", "compression"), "synthesize": ("firmware",)}
    return {
        key: value
        for stage, wanted in sections.items()
        for key, value in context.records[stage].parameters.items()
        if key.split(".")[0] in wanted
    }


def _content_sha256(context: Context) -> str:
    """Identifies the candidate by what it is made of, not by any id."""
    parts = (context.records["synthesize"].inputs["student"], context.hashes["synthesize"])
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _tags(verdicts: list[Verdict], passed: bool) -> dict[str, str]:
    """Version tags: each gate's value and verdict, and the verdict on the whole."""
    tags = {"verdict": "passed" if passed else "refused"}
    for verdict in verdicts:
        value = "missing" if verdict.value is None else f"{verdict.value:.6g}"
        outcome = "passed" if verdict.passed else "refused"
        tags[f"gate.{verdict.gate}"] = f"{outcome}: {value} ({verdict.threshold})"
    return tags


MODEL = ModelSpec(
    name="trigger",
    script="trigger",
    artifacts={
        "inputs": "inputs.json",
        "emulator": "emulator.json",
        "bundle": "bundle.tar.gz",
        "student": "student.h5",
    },
    requirements=["numpy", "alkaid", "h5py", "pydantic", "mlflow"],
)

STAGE = Stage(
    name="promote",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("verdict.json",),
)
