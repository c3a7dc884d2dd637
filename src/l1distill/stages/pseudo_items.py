"""Pseudo-items of a student's training: how many, which, and what its teacher says of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.core.errors import ConfigError, DataError
from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.distillation.augmentation import LearnedItems, learned_items
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.teacher import AnyTeacher, StreamingTeacher
from l1distill.stages.kept_answers import kept_answers
from l1distill.stages.recorded_teacher import handed_on
from l1distill.stages.stage import Context
from l1distill.tasks.base import AugmentingTask, Task

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.student import LearningSettings


def pseudo_items(settings: DistillationSettings, task: Task) -> float:
    """Return how many pseudo-items an item a student learns from.

    Raises:
        ConfigError: the task makes none.
    """
    if isinstance(task, AugmentingTask):
        chosen = settings.augmentation
        return task.pseudo_items() if chosen == "task" else chosen
    if settings.augmentation not in ("task", 0.0):
        raise ConfigError(
            f"distillation.augmentation={settings.augmentation:g}: task={task.name} makes no "
            "pseudo-items; set distillation.augmentation=0, or give the task the method augment "
            "(l1distill.tasks.base.AugmentingTask)"
        )
    return 0.0


def items_to_learn(
    settings: "LearningSettings", task: Task, dataset: Dataset, split: Split
) -> LearnedItems:
    """Return the items of a split, and behind them the pseudo-items that the settings ask for.

    Args:
        settings: of the stage.
        task: makes them.
        dataset: whose training sample is learned.
        split: of that sample.
    """
    number = pseudo_items(settings.distillation, task)
    make = None
    if number and isinstance(task, AugmentingTask):

        def make(items: NDArray[Any], number: int, rng: np.random.Generator) -> NDArray[Any]:
            return task.augment(items, number, settings.augmentation, rng)

    seed = [settings.seed, list(Split).index(split)]
    arrays = task.training_arrays(dataset, split)
    return learned_items(arrays, number, make, seed, settings.distillation.items)


def answers_to_pseudo_items(
    settings: "LearningSettings",
    context: Context,
    teacher: AnyTeacher,
    network: "Callable[[], keras.Model]",
    items: NDArray[Any],
) -> NDArray[np.float32]:
    """Return a trained teacher's answers to pseudo-items, (n,) or (n, outputs).

    It is asked once for the same items; see :mod:`l1distill.stages.kept_answers`.

    Args:
        settings: of the stage; name the teacher.
        context: of the stage; its task says which answers can be learned.
        teacher: the teacher.
        network: opens its network.
        items: (n, ...) pseudo-items.

    Raises:
        DataError: its answers cannot be learned.
    """
    task, path = context.task, TeacherFolder(settings.teacher_folder).model
    answer = handed_on(task, context.records["teacher"])

    def ask() -> NDArray[np.float32]:
        assert not isinstance(teacher, StreamingTeacher), path  # of whole events, not of items
        return teacher.answers(network(), items)[answer]

    of_teacher = [context.hashes["teacher"], answer]
    answers = kept_answers(settings.teacher_folder, of_teacher, items, ask)
    reason = task.check_answers(answers, answer)
    if not np.isfinite(answers).all():
        reason = "they are not all finite"
    if reason:
        raise DataError(
            f"{path}: its answers to pseudo-items cannot be learned ({reason}); set "
            "distillation.augmentation=0"
        )
    return answers
