"""Teach a student by each scheme: what a trained teacher says, or together with its teacher."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.distillation.hgq import train_hgq
from l1distill.distillation.joint import train_jointly
from l1distill.distillation.joint_networks import JointExamples
from l1distill.distillation.open_teacher import SupervisedTeacher, open_teacher
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.student import Examples, train_student
from l1distill.distillation.targets import TargetTransform
from l1distill.distillation.teacher import AnyTeacher
from l1distill.distillation.trees import train_trees
from l1distill.models.hgq_student import HgqSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.models.trees import TreesSettings
from l1distill.stages.offline_lesson import offline_lesson
from l1distill.stages.pseudo_items import items_to_learn
from l1distill.stages.recorded_teacher import handed_on, teacher_settings
from l1distill.stages.stage import Context

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.student import LearningSettings


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
    settings: "LearningSettings", context: Context, dataset: Dataset, encoding: InputEncoding
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


def _network(settings: "LearningSettings") -> NetworkSettings:
    """Return the settings of a student that is a network, which the trainings here take."""
    student = settings.student
    assert isinstance(student, NetworkSettings), student.family
    return student


def _offline(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: AnyTeacher,
) -> Taught:
    lesson = offline_lesson(settings, context, dataset, encoding, teacher)
    parts, target = (lesson.train, lesson.validation), lesson.target
    if isinstance(settings.student, TreesSettings):
        trained: TrainedStudent = _fit_trees(settings, settings.student, context, encoding, parts)
    elif isinstance(settings.student, HgqSettings):
        trained = _fit_hgq(settings, settings.student, context, encoding, parts)
    else:
        trained = _fit_network(settings, context, encoding, teacher, parts, target)
    return Taught(student=trained, target=target, answers=lesson.answers)


def _fit_network(
    settings: "LearningSettings",
    context: Context,
    encoding: InputEncoding,
    teacher: AnyTeacher,
    examples: tuple[Examples, Examples],
    target: TargetTransform,
) -> TrainedStudent:
    """Fit a network to the examples of the training and the validation split."""
    student = _network(settings)
    with context.epochs("train student", student.training.epochs) as on_epoch:
        return train_student(
            *examples,
            student,
            settings.distillation,
            settings.compression,
            input_exponents=encoding.exponents(student.input_integer),
            shape=encoding.feature_shape,
            truth=teacher if isinstance(teacher, SupervisedTeacher) else None,
            target=target,
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )


def _fit_trees(
    settings: "LearningSettings",
    student: TreesSettings,
    context: Context,
    encoding: InputEncoding,
    examples: tuple[Examples, Examples],
) -> TrainedStudent:
    """Boost trees; a training that was killed starts over."""
    with context.epochs("train student", student.trees, "trees") as on_epoch:
        return train_trees(
            *examples,
            student,
            settings.distillation,
            settings.compression,
            input_exponents=encoding.exponents(student.input_integer),
            seed=settings.seed,
            on_epoch=on_epoch,
        )


def _fit_hgq(
    settings: "LearningSettings",
    student: HgqSettings,
    context: Context,
    encoding: InputEncoding,
    examples: tuple[Examples, Examples],
) -> TrainedStudent:
    """Fit a network that learns its bits."""
    with context.epochs("train student", student.training.epochs) as on_epoch:
        return train_hgq(
            *examples,
            student,
            settings.distillation,
            settings.compression,
            input_exponents=encoding.exponents(student.input_integer),
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )


def _jointly(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: AnyTeacher,
) -> Taught:
    task, scheme = context.task, settings.distillation.scheme
    student = _network(settings)
    asked = open_teacher(teacher, task.name, f"distillation.scheme={scheme}")

    def examples(split: Split) -> JointExamples:
        learned = items_to_learn(settings, task, dataset, split)
        return JointExamples(
            features=encoding.apply(learned.items), arrays=learned.arrays, pseudo=learned.pseudo
        )

    title = "train student and teacher" if scheme == "co_training" else "train student"
    with context.epochs(title, student.training.epochs) as on_epoch:
        trained = train_jointly(
            asked,
            examples(Split.TRAIN),
            examples(Split.VALIDATION),
            student,
            settings.distillation,
            settings.compression,
            of_task=partial(task.fit_target, name=handed_on(task, context.records["teacher"])),
            input_exponents=encoding.exponents(student.input_integer),
            shape=encoding.feature_shape,
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
