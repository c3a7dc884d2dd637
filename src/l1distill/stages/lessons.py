"""What a student is taught, by each scheme: made from a teacher's files, or trained with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.core.errors import DataError
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.distillation.centering import standardization
from l1distill.distillation.joint import JointExamples, train_jointly
from l1distill.distillation.open_teacher import (
    SupervisedTeacher,
    ask,
    open_teacher,
    wanted_layers,
)
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.student import Examples, train_student
from l1distill.distillation.targets import TargetTransform, fit_response
from l1distill.distillation.teacher import Teacher
from l1distill.distillation.transfer import standardized_kinds
from l1distill.models import keras_files
from l1distill.stages.recorded_teacher import teacher_settings
from l1distill.stages.stage import Context
from l1distill.tasks.base import Task

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.student import Settings


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A student and what it was to answer.

    Attributes:
        student: the trained student.
        target: how its teacher's answers became targets.
        answers: of its teacher to every item of each sample, (n,) or (n, outputs).
        teacher: the network of a teacher that was trained with it.
        is_own: whether the answers are not those of the teacher in ``teacher_folder``.
    """

    student: TrainedStudent
    target: TargetTransform
    answers: Mapping[str, NDArray[np.float32]]
    teacher: "keras.Model | None" = None
    is_own: bool = False


def teach(
    settings: "Settings", context: Context, dataset: Dataset, encoding: InputEncoding
) -> Taught:
    """Train a student by the scheme of the settings.

    Args:
        settings: of the stage.
        context: of the stage.
        dataset: whose training sample it learns from.
        encoding: how items become its features.

    Raises:
        ConfigError: the teacher does not have the knowledge that is asked for.
        DataError: a file of the teacher cannot be used.
    """
    record = context.records["teacher"]
    context.run.log_parameters(record.section("teacher"))
    task = context.task
    teacher = task.teacher(teacher_settings(task, record), settings.teacher_folder)
    scheme = _offline if settings.distillation.scheme == "offline" else _jointly
    return scheme(settings, context, dataset, encoding, teacher)


def _offline(
    settings: "Settings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: Teacher,
) -> Taught:
    task, folder = context.task, TeacherFolder(settings.teacher_folder)
    answers = {
        name: folder.answers(name, file.events, task.check_answers)
        for name, file in dataset.card.files.items()
    }
    sample, said = dataset.training, answers[dataset.training_sample]
    train, validation = (sample.rows(split) for split in (Split.TRAIN, Split.VALIDATION))
    target = fit_response(settings.distillation.response, said[train], task.fit_target)
    lessons = _further_knowledge(settings, task, dataset, teacher)

    def examples(split: Split, rows: slice) -> Examples:
        return Examples(
            features=encoding.apply(sample.items.values[rows]),
            targets=target(said[rows]),
            lessons=lessons[split],
            arrays=task.training_arrays(dataset, split) if settings.distillation.beta else (),
        )

    with context.epochs("train student", settings.student.training.epochs) as on_epoch:
        student = train_student(
            examples(Split.TRAIN, train),
            examples(Split.VALIDATION, validation),
            settings.student,
            settings.distillation,
            settings.compression,
            input_exponents=encoding.exponents(settings.student.input_integer),
            truth=teacher if isinstance(teacher, SupervisedTeacher) else None,
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )
    return Taught(student=student, target=target, answers=answers)


def _further_knowledge(
    settings: "Settings", task: Task, dataset: Dataset, teacher: Teacher
) -> dict[Split, dict[str, NDArray[np.float32]]]:
    """Ask the trained teacher for what it has not left in files, and center and scale that."""
    chosen, splits = settings.distillation, (Split.TRAIN, Split.VALIDATION)
    if not chosen.of_network:
        return {split: {} for split in splits}
    asked = open_teacher(teacher, task.name, "distillation")
    path = TeacherFolder(settings.teacher_folder).model
    model = keras_files.load(path)
    layers = wanted_layers(chosen, asked.latent_layers(), [layer.name for layer in model.layers])
    try:
        knowledge = {
            split: ask(asked, model, layers, dataset.training.part(split)) for split in splits
        }
    except (ValueError, TypeError) as error:
        shape = dataset.training.items.values.shape[1:]
        raise DataError(
            f"{path}: cannot read the events of {settings.data.folder}, each {shape}; it was "
            "trained on another event format: run teacher again"
        ) from error
    for kind in standardized_kinds(chosen):
        mean, std = standardization(knowledge[Split.TRAIN][kind])
        for split in splits:
            knowledge[split][kind] = (knowledge[split][kind] - mean) / std
    return knowledge


def _jointly(
    settings: "Settings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: Teacher,
) -> Taught:
    task, scheme = context.task, settings.distillation.scheme
    asked = open_teacher(teacher, task.name, f"distillation.scheme={scheme}")

    def examples(split: Split) -> JointExamples:
        return JointExamples(
            features=encoding.apply(dataset.training.part(split)),
            arrays=task.training_arrays(dataset, split),
        )

    title = "train student and teacher" if scheme == "co_training" else "train student"
    with context.epochs(title, settings.student.training.epochs) as on_epoch:
        trained = train_jointly(
            asked,
            examples(Split.TRAIN),
            examples(Split.VALIDATION),
            settings.student,
            settings.distillation,
            settings.compression,
            of_task=task.fit_target,
            input_exponents=encoding.exponents(settings.student.input_integer),
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )

    def answers(items: NDArray[Any]) -> NDArray[np.float32]:
        return trained.answers(encoding.apply(items), items)

    return Taught(
        student=trained.student,
        target=trained.target,
        answers={name: answers(part.items.values) for name, part in dataset.samples().items()},
        teacher=trained.teacher,
        is_own=True,
    )
