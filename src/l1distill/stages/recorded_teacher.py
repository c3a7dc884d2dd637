"""The teacher of a folder as a task knows it: its settings, from the record beside it."""

from pathlib import Path

from l1distill.artifacts.record import Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.tasks.base import Task, TeacherSettings


def teacher_settings(task: Task, record: Record) -> TeacherSettings:
    """Return the settings that a teacher was trained with, from its record."""
    section = record.nested("teacher")
    return task.settings.teacher.chosen_by(section).model_validate(section)


def check_same_constants(task: Task, teacher: Path, data: Path) -> None:
    """Refuse a teacher whose constants, as a standardization, are not those of the data.

    Raises:
        DataError: a file is missing or differs; the line names it.
    """
    for name in task.constants():
        for path in (teacher / name, data / name):
            if not path.is_file():
                raise DataError(f"{path}: missing; run the stage that writes it again")
        if file_sha256(teacher / name) != file_sha256(data / name):
            raise DataError(
                f"{teacher / name}: not that of {data / name}: the teacher was trained on other "
                "data; run teacher again, or name its data set as data.folder="
            )
