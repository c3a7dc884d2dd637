"""What a task fills of the configuration: the types of its sections, which tasks add to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1distill.core.settings import Settings
from l1distill.training.settings import TrainingSettings


class TaskSettings(Settings):
    """Which task, and where it is implemented."""

    name: str
    """Name of the task; other groups choose their defaults by it."""
    module: str
    """Python module whose ``TASK`` it is; one of yours must be importable."""


class DataSettings(Settings):
    """The data set of a task; a task adds where its items come from."""

    name: str
    """Name of the data set."""
    folder: Path
    """Where it is."""


class TeacherSettings(Settings):
    """A task's teacher; a task adds its architecture."""

    training: TrainingSettings = TrainingSettings()
    """How the teacher is trained."""

    @classmethod
    def chosen_by(cls, section: Any) -> type[TeacherSettings]:  # noqa: ARG003 (of one class alone)
        """Return the class that a section ``teacher`` is of; a task may have several.

        Args:
            section: of a composed configuration or of a record; None or {} for the default.

        Raises:
            ConfigError: it names none that there is.
        """
        return cls


class EncodingSettings(Settings):
    """How raw items become a student's features; a task adds what may be chosen."""


class EvaluationSettings(Settings):
    """How answers are judged; a task adds what may be chosen."""


class AugmentationSettings(Settings):
    """How pseudo-items are made of items; a task adds what may be chosen."""


@dataclass(frozen=True, kw_only=True)
class SettingsTypes:
    """The types of the sections of the configuration that a task fills."""

    data: type[DataSettings]
    teacher: type[TeacherSettings]
    encoding: type[EncodingSettings]
    evaluation: type[EvaluationSettings] = EvaluationSettings
    augmentation: type[AugmentationSettings] = AugmentationSettings
