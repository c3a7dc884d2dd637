"""What a trained teacher says of the items that students learn from, from files and asked anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.core.errors import DataError
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.distillation.augmentation import LearnedItems
from l1distill.distillation.centering import standardization
from l1distill.distillation.open_teacher import ask, open_teacher, wanted_layers
from l1distill.distillation.student import Examples
from l1distill.distillation.targets import TargetTransform, capped, fit_response
from l1distill.distillation.teacher import AnyTeacher
from l1distill.distillation.transfer import standardized_kinds
from l1distill.models import keras_files
from l1distill.stages.item_weights import item_weights
from l1distill.stages.pseudo_items import answers_to_pseudo_items, items_to_learn
from l1distill.stages.recorded_teacher import handed_on, recorded_answers
from l1distill.stages.stage import Context
from l1distill.tasks.base import Task

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.stages.student import LearningSettings


_SPLITS = (Split.TRAIN, Split.VALIDATION)


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
    teacher: AnyTeacher,
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
    said = {
        split: to_training[sample.rows(split)][_all_or(part.rows)]
        for split, part in learned.items()
    }
    answer, path = handed_on(task, record), TeacherFolder(settings.teacher_folder).model
    network = cache(lambda: keras_files.load(path))
    if learned[Split.TRAIN].pseudo:
        for split, part in learned.items():
            made = part.items[part.real.stop :]
            more = answers_to_pseudo_items(settings, context, teacher, network, made)
            said[split] = np.concatenate([said[split], more])
    train = learned[Split.TRAIN].real
    of_task = partial(task.fit_target, name=answer)
    target = fit_response(settings.distillation.response, said[Split.TRAIN][train], of_task)
    lessons = _further_knowledge(settings, task, learned, teacher, network)

    def examples(split: Split) -> Examples:
        return Examples(
            features=encoding.apply(learned[split].items),
            targets=capped(settings.distillation.response, target(said[split])),
            lessons=lessons[split],
            arrays=learned[split].arrays if settings.distillation.beta else (),
            pseudo=learned[split].pseudo,
            weights=item_weights(settings.distillation, task, learned[split].items),
        )

    return Lesson(
        train=examples(Split.TRAIN),
        validation=examples(Split.VALIDATION),
        target=target,
        answers=answers,
    )


def _all_or(rows: NDArray[np.int64] | None) -> NDArray[np.int64] | slice:
    return slice(None) if rows is None else rows


def _further_knowledge(
    settings: "LearningSettings",
    task: Task,
    learned: Mapping[Split, LearnedItems],
    teacher: AnyTeacher,
    network: "Callable[[], keras.Model]",
) -> dict[Split, dict[str, NDArray[np.float32]]]:
    """Ask the trained teacher for what it has not left in files, and center and scale that."""
    chosen = settings.distillation
    if not chosen.of_network:
        return {split: {} for split in learned}
    asked = open_teacher(teacher, task.name, "distillation")
    model = network()
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
