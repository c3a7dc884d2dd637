"""synthesize: a student, or any model, in; verified firmware, its figures and a bundle out."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from l1distill.firmware.files import BUNDLE, SYNTHESIS_REPORT
from l1distill.firmware.settings import FirmwareSettings, PrecisionSettings, ScoreSettings
from l1distill.models.untrained import ShapeSettings
from l1distill.stages.stage import Context, Result, Stage, StageSettings

LINE = Path("firmware/student")
"""Where ``dvc.yaml`` keeps the line's own firmware."""


class Settings(StageSettings):
    """What ``l1distill synthesize`` is told."""

    firmware: FirmwareSettings
    student_folder: Path
    model: str | None = None
    """A model of the user's, instead of the student: a path, or a URI of MLflow."""
    shape: ShapeSettings | None = None
    """A network that nobody has trained, instead of a model."""
    weights: Path | None = None
    events: Path | None = None
    precision: PrecisionSettings = PrecisionSettings()
    score: ScoreSettings = ScoreSettings()

    @model_validator(mode="after")
    def _apart_from_the_line(self) -> "Settings":
        if self.model is not None and self.shape is not None:
            raise ValueError("shape= is a network of its own; leave model= out, or shape=")
        if self.weights is not None and self.model is None:
            raise ValueError("weights= goes with a model=; name that as well")
        if self.model is None and self.shape is None:
            if self.events is not None:
                raise ValueError("events= goes with a model=; name that as well")
        elif self.output == LINE:
            what = "model" if self.shape is None else "shape"
            raise ValueError(f"{what}= needs an output= of its own; {LINE} is the line's")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    if settings.model is not None or settings.shape is not None:
        return {}
    return {"generate": settings.data.folder, "student": settings.student_folder}


def _run(settings: Settings, context: Context) -> Result:
    if settings.model is None and settings.shape is None:
        from l1distill.stages.synthesize_student import synthesize_student

        return synthesize_student(settings, context, _say)
    from l1distill.stages.synthesize_model import synthesize_model

    return synthesize_model(settings, context, _say)


def _say(step: str) -> None:
    import sys

    print(f"synthesize: {step}", file=sys.stderr, flush=True)


STAGE = Stage(
    name="synthesize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.md", SYNTHESIS_REPORT, BUNDLE),
)
