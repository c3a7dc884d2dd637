"""Offline distillation: a trained teacher's answers, and a student that is fitted to them."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from l1distill.compression.pruning import PruningSettings, strip, with_pruning
from l1distill.training.fit import Fit, History, Sample, TrainingSettings, fit, supervised

if TYPE_CHECKING:
    from tensorflow import keras


class Distilled(NamedTuple):
    """A trained student."""

    student: "keras.Model"
    history: History


def distill(
    student: "keras.Model",
    train: Sample,
    validation: Sample,
    loss: str,
    training: TrainingSettings,
    pruning: PruningSettings,
    seed: int,
    on_epoch: Callable[[int, Mapping[str, float]], None],
    checkpoint: Path | None = None,
) -> Distilled:
    """Fits a student to its teacher's answers, pruning it on the way.

    Args:
        student: the untrained network; quantized from its first step if its layers are.
        train: inputs and what the teacher makes of them.
        validation: the same of events that the student does not see.
        loss: Keras's name of the distance between the two.
        training: how to fit.
        pruning: how sparse, and when.
        seed: of the shuffling.
        on_epoch: called after each epoch.
        checkpoint: see :func:`training.fit`.

    Returns:
        The student with its best weights among the epochs that were fully pruned.
    """
    steps_per_epoch = math.ceil(len(train.inputs) / training.batch_size)
    pruned = with_pruning(student, pruning, steps_per_epoch)
    what = Fit(
        pruned.model,
        supervised(pruned.model, loss),
        training,
        seed,
        pruned.callbacks,
        best_from_epoch=pruned.full_from_epoch,
    )
    history = fit(what, train, validation, on_epoch, checkpoint)
    return Distilled(strip(pruned.model), history)
