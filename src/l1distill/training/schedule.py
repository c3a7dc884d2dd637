"""Learning-rate schedules, computed from the losses of the epochs that were run.

A schedule has no state of its own: a training that goes on from a checkpoint has the losses of its
epochs, and with them the learning rate of the next.
"""

import math
from collections.abc import Sequence

from l1distill.training.settings import TrainingSettings

MIN_DELTA = 1e-4
"""A validation loss is better if it is smaller by more than that, as in Keras's
``ReduceLROnPlateau``."""


def learning_rate(
    settings: TrainingSettings,
    validation_losses: Sequence[float],
    best_from_epoch: int = 0,
    fine_tune_from: int | None = None,
) -> float:
    """Compute the learning rate of the next epoch.

    Args:
        settings: learning rate to begin with, epochs, schedule.
        validation_losses: of the epochs that were run.
        best_from_epoch: the first epoch that counts for a plateau; before it a network that is
            being pruned grows worse without having come to rest.
        fine_tune_from: the epoch from which the schedule's learning rate is multiplied by a cosine
            that falls from 1 to 0; None: by nothing.

    Source:
        Plateau decay: ``ReduceLROnPlateau`` of Keras, without cooldown. Cosine: Loshchilov and
        Hutter, arXiv:1608.03983, without restarts.
    """
    rate = _scheduled(settings, validation_losses, best_from_epoch)
    epoch = len(validation_losses)
    if fine_tune_from is None or epoch <= fine_tune_from:
        return rate
    share = (epoch - fine_tune_from) / (settings.epochs - fine_tune_from)
    return 0.5 * rate * (1.0 + math.cos(math.pi * share))


def _scheduled(
    settings: TrainingSettings, validation_losses: Sequence[float], best_from_epoch: int
) -> float:
    """Compute it from the settings alone."""
    schedule, rate = settings.schedule, settings.learning_rate
    if schedule.kind == "cosine":
        return 0.5 * rate * (1.0 + math.cos(math.pi * len(validation_losses) / settings.epochs))
    if schedule.kind == "constant":
        return rate
    best, waited = float("inf"), 0
    for loss in validation_losses[best_from_epoch:]:
        if loss < best - MIN_DELTA:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= schedule.patience:
            rate, waited = rate * schedule.factor, 0
    return rate
