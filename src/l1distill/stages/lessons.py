"""What a student is taught, by each scheme: made from a teacher's files, or trained with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.core.errors import DataError
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.distillation.augmentation import LearnedItems
from l1distill.distillation.centering import standardization
from l1distill.distillation.joint import train_jointly
from l1distill.distillation.joint_networks import JointExamples
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
from l1distill.distillation.trees import train_trees
from l1distill.models import keras_files
from l1distill.models.student_network import NetworkSettings
from l1distill.models.trees import TreesSettings
from l1distill.stages.pseudo_items import answers_to_pseudo_items, items_to_learn
from l1distill.stages.recorded_teacher import handed_on, recorded_answers, teacher_settings
from l1distill.stages.stage import Context
from l1distill.tasks.base import Task

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.student import LearningSettings


_SPLITS = (Split.TRAIN, Split.VALIDATION)


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


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a trained teacher says, for students to learn.

    Attributes:
        train: of the training split, pseudo-items among them.
        validation: of the validation split, likewise.
        target: how the teacher's answers became targets.
        answers: of the teacher to every item of each sample, (n,) or (n, outputs).
    """

    train: Examples
    validation: Examples
    target: TargetTransform
    answers: Mapping[str, NDArray[np.float32]]


def offline_lesson(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: Teacher,
) -> Lesson:
    """Gather what a trained teacher says of the items that students learn from.

    Args:
        settings: of the stage.
        context: of the stage.
        dataset: whose training sample is learned.
        encoding: how items become features.
        teacher: the teacher.

    Raises:
        ConfigError: the answers cannot be learned in the way that is asked for.
        DataError: a file of the teacher cannot be used.
    """
    task, record = context.task, context.records["teacher"]
    answers = recorded_answers(task, settings.teacher_folder, record, dataset, dataset.names)
    sample, to_training = dataset.training, answers[dataset.training_sample]
    learned = {split: items_to_learn(settings, task, dataset, split) for split in _SPLITS}
    said = {split: to_training[sample.rows(split)] for split in _SPLITS}
    answer, path = handed_on(task, record), TeacherFolder(settings.teacher_folder).model
    has_pseudo = learned[Split.TRAIN].pseudo > 0
    asks = has_pseudo or settings.distillation.of_network
    network = keras_files.load(path) if asks else None
    if has_pseudo:
        for split, part in learned.items():
            made = part.items[part.real.stop :]
            more = answers_to_pseudo_items(path, task, teacher, network, answer, made)
            said[split] = np.concatenate([said[split], more])
    train = learned[Split.TRAIN].real
    of_task = partial(task.fit_target, name=answer)
    target = fit_response(settings.distillation.response, said[Split.TRAIN][train], of_task)
    lessons = _further_knowledge(settings, task, learned, teacher, network)

    def examples(split: Split) -> Examples:
        return Examples(
            features=encoding.apply(learned[split].items),
            targets=target(said[split]),
            lessons=lessons[split],
            arrays=learned[split].arrays if settings.distillation.beta else (),
            pseudo=learned[split].pseudo,
        )

    return Lesson(
        train=examples(Split.TRAIN),
        validation=examples(Split.VALIDATION),
        target=target,
        answers=answers,
    )


def _offline(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: Teacher,
) -> Taught:
    lesson = offline_lesson(settings, context, dataset, encoding, teacher)
    parts, target = (lesson.train, lesson.validation), lesson.target
    if isinstance(settings.student, TreesSettings):
        trained: TrainedStudent = _fit_trees(settings, settings.student, context, encoding, parts)
    else:
        trained = _fit_network(settings, context, encoding, teacher, parts, target)
    return Taught(student=trained, target=target, answers=lesson.answers)


def _fit_network(
    settings: "LearningSettings",
    context: Context,
    encoding: InputEncoding,
    teacher: Teacher,
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


def _further_knowledge(
    settings: "LearningSettings",
    task: Task,
    learned: Mapping[Split, LearnedItems],
    teacher: Teacher,
    model: "keras.Model",
) -> dict[Split, dict[str, NDArray[np.float32]]]:
    """Ask the trained teacher for what it has not left in files, and center and scale that."""
    chosen = settings.distillation
    if not chosen.of_network:
        return {split: {} for split in learned}
    asked = open_teacher(teacher, task.name, "distillation")
    layers = wanted_layers(chosen, asked.latent_layers(), [layer.name for layer in model.layers])
    try:
        knowledge = {
            split: ask(asked, model, layers, part.items) for split, part in learned.items()
        }
    except (ValueError, TypeError) as error:
        shape = learned[Split.TRAIN].items.shape[1:]
        path = TeacherFolder(settings.teacher_folder).model
        raise DataError(
            f"{path}: cannot read the events of {settings.data.folder}, each {shape}; it was "
            "trained on another event format: run teacher again"
        ) from error
    for kind in standardized_kinds(chosen):
        mean, std = standardization(knowledge[Split.TRAIN][kind][learned[Split.TRAIN].real])
        for split in learned:
            knowledge[split][kind] = (knowledge[split][kind] - mean) / std
    return knowledge


def _jointly(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    teacher: Teacher,
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
