"""The teacher of a folder as a task knows it: settings, from the record beside it, and answers."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.artifacts.record import Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.dataset import Dataset
from l1distill.tasks.base import Task
from l1distill.tasks.settings import TeacherSettings


def teacher_settings(task: Task, record: Record) -> TeacherSettings:
    """Return the settings that a teacher was trained with, from its record."""
    section = record.nested("teacher")
    return task.settings.teacher.chosen_by(section).model_validate(section)


def handed_on(task: Task, record: Record) -> str:
    """Return the name of a teacher's answer that students learn."""
    return task.handed_on(teacher_settings(task, record))


def recorded_answers(
    task: Task, folder: Path, record: Record, dataset: Dataset, samples: Iterable[str]
) -> dict[str, NDArray[np.float32]]:
    """Read a teacher's answers to every item of samples, (n,) or (n, outputs) each.

    Args:
        task: says which answers can be learned.
        folder: of the teacher.
        record: of the teacher.
        dataset: has the samples.
        samples: their names.

    Raises:
        DataError: they are missing, damaged, or cannot be learned.
    """
    check: Any = partial(task.check_answers, name=handed_on(task, record))
    answers = TeacherFolder(folder).answers
    return {name: answers(name, dataset.number_of_items(name), check) for name in samples}


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
