"""synthesize: a student, or any model; writes verified firmware, its report and a bundle."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from l1distill.artifacts.record import Record
from l1distill.core.errors import DataError
from l1distill.firmware.files import BUNDLE, SYNTHESIS_REPORT
from l1distill.firmware.functions.port_conversion import check_number
from l1distill.firmware.port_settings import PortSettings
from l1distill.firmware.settings import FirmwareSettings, PrecisionSettings, ScoreSettings
from l1distill.models.untrained import ShapeSettings
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.stages.synthesize_source import (
    ModelSource,
    ShapeSource,
    StudentSource,
    choose_source,
)
from l1distill.tasks.base import Task

PIPELINE_OUTPUT = Path("firmware/student")
"""Where the pipeline keeps the firmware of its student."""
_SOURCE_KEYS = ("student_folder", "model", "shape", "weights", "events", "precision")


class Settings(StageSettings):
    """Settings of ``l1distill synthesize``."""

    firmware: FirmwareSettings = FirmwareSettings()
    """Target device, verification and limits of the tools."""
    student_folder: Path = Path("models/student")
    """Output of ``l1distill student``."""
    model: str | None = None
    """A model instead of the student: HDF5, ``.keras``, SavedModel folder, JSON with ``weights=``,
    output of ``l1distill quantize``, or ``runs:/...`` and ``models:/...`` of MLflow."""
    shape: ShapeSettings | None = None
    """An untrained network instead of a model."""
    weights: Path | None = None
    """Weights of a model that is JSON, as HDF5 or TensorFlow checkpoint."""
    events: Path | None = None
    """Events that a model is verified on (``.npy``, ``.npz``, ``.h5``); random ones without."""
    precision: PrecisionSettings = PrecisionSettings()
    """Precision that a model in floating point is rounded to."""
    ports: PortSettings | None = None
    """Input ports in hardware units, such as ``ports=cms_gt``; null for ports of the network's own
    input type."""
    score: ScoreSettings = ScoreSettings()
    """Anomaly score that is computed behind the network, in the same firmware."""
    accept_at: float | None = Field(default=None, gt=0, lt=1)
    """False positive rate of an accept bit beside the student's score, one of those that its
    evaluation resolved (1e-2, 1e-3, ...); null for no such bit."""
    output: Path = PIPELINE_OUTPUT
    """Folder that the stage writes."""

    @property
    def source(self) -> StudentSource | ModelSource | ShapeSource:
        """What is synthesized, tagged by its kind."""
        return choose_source({key: getattr(self, key) for key in _SOURCE_KEYS})

    @model_validator(mode="after")
    def _check_source(self) -> "Settings":
        source = self.source
        if source.kind != "student" and self.output == PIPELINE_OUTPUT:
            raise ValueError(
                f"{source.kind}= needs an output= of its own; {PIPELINE_OUTPUT} is the pipeline's"
            )
        if self.accept_at is not None and source.kind != "student":
            raise ValueError(
                f"accept_at= is a working point of a student's evaluation; with {source.kind}= "
                "give the threshold itself, score.accept="
            )
        if self.accept_at is not None and self.score.accept is not None:
            raise ValueError("accept_at= and score.accept= both name a threshold; leave one out")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    source = settings.source
    if isinstance(source, StudentSource):
        return {"generate": settings.data.folder, "student": source.student_folder}
    return {}


def _check(settings: Settings, _: Task) -> None:
    source = settings.source
    if isinstance(source, StudentSource):
        _check_quantized(source.student_folder)
    else:
        source.check_files()
    if settings.ports is not None:
        inputs = source.count_inputs()
        if inputs is not None:
            check_number(len(settings.ports.quantities()), inputs)


def _check_quantized(student_folder: Path) -> None:
    """Refuse a student in floating point."""
    if Record.read(student_folder).parameters.get("student.quantized") is False:
        raise DataError(
            f"{student_folder}: a student in floating point, which has no firmware; train it with "
            "student.quantized=true"
        )


def _run(settings: Settings, context: Context) -> Result:
    source = settings.source
    if isinstance(source, StudentSource):
        from l1distill.stages.synthesize_student import synthesize_student

        return synthesize_student(settings, source, context, _print)
    from l1distill.stages.synthesize_model import synthesize_model

    return synthesize_model(settings, source, context, _print)


def _print(step: str) -> None:
    print(f"synthesize: {step}", file=sys.stderr, flush=True)


STAGE = Stage(
    name="synthesize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.md", SYNTHESIS_REPORT, BUNDLE),
    check=_check,
    kept_in_sweeps=True,
)
