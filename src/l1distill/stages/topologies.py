"""How well a student ranks topologies as its teacher does: a choice between students, no signal.

The background of the validation split stands against pseudo-items of it that look as signals might.
They are the same for every student of a data set and a teacher, whatever it learned from.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.evaluation.roc import Separation, separation
from l1distill.models import keras_files
from l1distill.stages.pseudo_items import answers_to_pseudo_items
from l1distill.stages.recorded_teacher import recorded_answers, teacher_settings
from l1distill.stages.stage import Context
from l1distill.tasks.base import TopologyTask

if TYPE_CHECKING:
    from l1distill.stages.student import LearningSettings

WORST = "topology_auc_difference_min"
"""Metric: the smallest difference of a topology."""
_DIFFERENCE = "topology_auc_difference"
_POINT = "1e-2"
_PSEUDO, _LARGEST, _SEED = 4, 40_000, 0
_LEAST = 10
"""Items of a topology that an AUC needs to mean anything."""


def topology_metrics(
    settings: "LearningSettings",
    context: Context,
    dataset: Dataset,
    encoding: InputEncoding,
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> dict[str, float]:
    """Compare how student and recorded teacher tell topologies from the background.

    Args:
        settings: of the stage; name the teacher.
        context: of the stage; its task makes the pseudo-items.
        dataset: whose validation split is the background.
        encoding: of the student's inputs.
        predict: from features (n, features) to the student's outputs, (n, outputs).

    Returns:
        ``topology_auc/<topology>`` of the student, ``topology_auc_difference/<topology>`` to the
        teacher, the smallest of them as ``topology_auc_difference_min``, and
        ``topology_tpr_ratio_fpr1e-2/<topology>`` where the background resolves that; nothing where
        the task has no topologies, or the teacher is only known by its answers or by several.
    """
    task, record = context.task, context.records["teacher"]
    path = TeacherFolder(settings.teacher_folder).model
    if not isinstance(task, TopologyTask) or not path.is_file():
        return {}
    training = dataset.training
    rows = training.rows(Split.VALIDATION)
    background = training.items.values[rows]
    if not len(background):
        return {}
    number = min(_PSEUDO * len(background), _LARGEST)
    recipe = type(settings.augmentation)()
    made = task.augment(background, number, recipe, np.random.default_rng(_SEED))
    teacher = task.teacher(teacher_settings(task, record), settings.teacher_folder)
    network = partial(keras_files.load, path)
    to_made = answers_to_pseudo_items(settings, context, teacher, network, made)
    sample = dataset.training_sample
    recorded = recorded_answers(task, settings.teacher_folder, record, dataset, [sample])
    to_background = recorded[sample][rows]
    if to_background.ndim > 1:
        return {}
    ours, made_ours = (predict(encoding.apply(items))[:, 0] for items in (background, made))
    metrics: dict[str, float] = {}
    for name, chosen in task.topologies(made).items():
        if chosen.sum() < _LEAST:
            continue
        student = separation(ours, made_ours[chosen])
        theirs = separation(to_background, to_made[chosen])
        metrics |= _compared(name, student, theirs)
    differences = [value for name, value in metrics.items() if name.startswith(_DIFFERENCE)]
    return {**metrics, WORST: min(differences)} if differences else metrics


def _compared(name: str, student: Separation, teacher: Separation) -> dict[str, float]:
    metrics = {
        f"topology_auc/{name}": student.auc,
        f"{_DIFFERENCE}/{name}": student.auc - teacher.auc,
    }
    if _POINT in student.tpr and teacher.tpr[_POINT].value > 0.0:
        ratio = student.tpr[_POINT].value / teacher.tpr[_POINT].value
        metrics[f"topology_tpr_ratio_fpr{_POINT}/{name}"] = ratio
    return metrics
