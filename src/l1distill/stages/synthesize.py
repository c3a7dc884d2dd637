"""synthesize: a student, or any model, in; verified firmware, its figures and a bundle out."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from l1distill.firmware.settings import FirmwareSettings, PrecisionSettings, ScoreSettings
from l1distill.stages.stage import Context, Result, Stage, StageSettings

LINE = Path("firmware/student")
"""Where ``dvc.yaml`` keeps the line's own firmware."""


class Settings(StageSettings):
    """What ``l1distill synthesize`` is told."""

    firmware: FirmwareSettings
    student_folder: Path
    model: str | None = None
    """A model of the user's, instead of the student: a path, or a URI of MLflow."""
    weights: Path | None = None
    events: Path | None = None
    precision: PrecisionSettings = PrecisionSettings()
    score: ScoreSettings = ScoreSettings()

    @model_validator(mode="after")
    def _apart_from_the_line(self) -> "Settings":
        if self.model is None:
            for name in ("weights", "events"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}= goes with a model=; name that as well")
        elif self.output == LINE:
            raise ValueError(f"model= needs an output= of its own; {LINE} is the line's")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    if settings.model is not None:
        return {}
    return {"generate": settings.data.folder, "student": settings.student_folder}


def _run(settings: Settings, context: Context) -> Result:
    if settings.model is None:
        from l1distill.stages.synthesize_student import synthesize_student

        return synthesize_student(settings, context, _say)
    from l1distill.stages.synthesize_model import synthesize_model

    return synthesize_model(settings.model, settings, context, _say)


def _say(step: str) -> None:
    import sys

    print(f"synthesize: {step}", file=sys.stderr, flush=True)


STAGE = Stage(
    name="synthesize",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.md", "figures.json", "bundle.tar.gz"),
)
