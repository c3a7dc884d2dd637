"""Settings of the pipeline command: those of the stages that a job goes through."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import create_model

from l1distill.executor.settings import ExecutorSettings
from l1distill.stages import promote, student, synthesize, teacher
from l1distill.stages.command import Command, CommandSettings
from l1distill.stages.stage import StageSettings
from l1distill.tasks.base import Task

OF_JOB = (student.STAGE, synthesize.STAGE, promote.STAGE)
"""The stages of every job, in order."""
FIRST = teacher.STAGE
"""The stage that a job begins with where it trains a teacher of its own."""
_NOT_OF_JOB = (
    *("model", "shape", "weights", "events", "precision", "score"),
    *("student_folder", "firmware_folder", "brief"),
    *("reinstate", "require_promotion", "dry_run", "candidate"),
)
"""Keys of the stages that a job sets itself, or has no use for."""


class Settings(CommandSettings):
    """Settings of ``l1distill pipeline``: those of its stages, and these."""

    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``, for jobs that train none of their own."""
    train_teacher: bool | None = None
    """Whether a job trains a teacher of its own; null: where its overrides name the teacher."""
    executor: ExecutorSettings | None = None
    """Where the jobs of a sweep run at the same time; null: here, one after the other."""
    output: Path = Path("outputs/pipeline")
    """Folder of the job; of a sweep, each job has a folder in it, named after its overrides."""


class Pipeline(Command[Settings]):
    """The command, whose settings are those of its stages together."""

    def settings_for(self, task: Task, composed: Mapping[str, Any] | None = None) -> type[Settings]:
        """Return the type of its settings for a task and a configuration."""
        return settings_of_job(task, composed or {})


def settings_of_job(task: Task, composed: Mapping[str, Any]) -> type[Settings]:
    """Return the type of a job's settings: those of its stages that it does not set itself."""
    return _joined(tuple(stage.settings_for(task, composed) for stage in (*OF_JOB, FIRST)))


@cache
def _joined(stages: tuple[type[StageSettings], ...]) -> type[Settings]:
    fields: dict[str, Any] = {}
    for settings in stages:
        for name, field in settings.model_fields.items():
            if name not in Settings.model_fields and name not in _NOT_OF_JOB:
                fields.setdefault(name, (field.annotation, field))
    return create_model("Settings", __base__=Settings, __doc__=Settings.__doc__, **fields)
