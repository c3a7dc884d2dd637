"""Offline distillation: a student is fitted to the answers of a trained teacher."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import (
    PruningSettings,
    measure_sparsity,
    strip,
    with_pruning,
)
from l1distill.distillation.settings import DistillationSettings
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import (
    Arrays,
    Fit,
    OnEpoch,
    check_arrays,
    fit,
    ignore_epoch,
    supervised,
)
from l1distill.training.history import History

if TYPE_CHECKING:
    from tensorflow import keras

PREDICTION_BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a student learns from.

    Attributes:
        features: (n, features) its inputs, as an input encoding makes them.
        targets: (n, outputs) what it should answer.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TrainedStudent:
    """A trained student.

    Attributes:
        model: QKeras model from (n, features) to (n, outputs), both on the firmware's grid.
        history: losses by epoch.
        sparsity: share of its quantized weights that are zero.
    """

    model: "keras.Model"
    history: History
    sparsity: float

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers (n, outputs) of features (n, features)."""
        answers: NDArray[np.float32] = self.model.predict(
            features, batch_size=PREDICTION_BATCH, verbose=0
        )
        return answers

    def metrics(self) -> dict[str, float]:
        """Return ``parameters``, ``sparsity``, ``epochs`` and ``best_validation_loss``."""
        return {
            "sparsity": self.sparsity,
            "parameters": float(self.model.count_params()),
            **self.history.metrics(),
        }


def train_student(
    train: Examples,
    validation: Examples,
    student: StudentSettings | None = None,
    distillation: DistillationSettings | None = None,
    pruning: PruningSettings | None = None,
    *,
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> TrainedStudent:
    """Train a quantized student on its teacher's answers, pruning it on the way.

    Args:
        train: features and targets of the items to fit.
        validation: the same of the items that decide when to stop.
        student: layers, bits and training; the default student where it is None.
        distillation: knowledge, scheme and loss.
        pruning: how sparse, and when.
        seed: of weights and shuffling.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state, so that a killed training goes on.

    Returns:
        The student with the weights of its best epoch among those that were fully pruned. It is
        quantized from the first step on (QKeras, Coelho et al., arXiv:2006.10159).

    Raises:
        FloatingPointError: a loss was not finite.
        ValueError: features or targets do not fit together.
    """
    student = student or StudentSettings()
    distillation = distillation or DistillationSettings()
    pruning = pruning or PruningSettings()
    arrays, held_out = _arrays(train), _arrays(validation)
    check_arrays(arrays, held_out)
    make_deterministic(seed)
    training = student.training
    steps_per_epoch = math.ceil(len(train.features) / training.batch_size)
    model = build_student(student, train.features.shape[1], train.targets.shape[1])
    pruned = with_pruning(model, pruning, steps_per_epoch)
    history = fit(
        Fit(
            model=pruned.model,
            loss=supervised(pruned.model, distillation.loss),
            settings=training,
            seed=seed,
            callbacks=pruned.callbacks,
            best_from_epoch=pruned.full_from_epoch,
        ),
        arrays,
        held_out,
        on_epoch,
        checkpoint,
    )
    trained = strip(pruned.model)
    return TrainedStudent(model=trained, history=history, sparsity=measure_sparsity(trained))


def _arrays(examples: Examples) -> Arrays:
    """Return features and targets, (n, features) and (n, outputs)."""
    features, targets = examples.features, examples.targets
    if features.ndim != 2 or targets.ndim != 2:
        raise ValueError(
            "features and targets must be (n, features) and (n, outputs), not "
            f"{features.shape} and {targets.shape}"
        )
    if len(features) != len(targets):
        raise ValueError(f"{len(features)} features, but {len(targets)} targets of the same items")
    return features, targets


def distance_to_teacher(
    answers: dict[str, NDArray[Any]], targets: dict[str, NDArray[Any]]
) -> dict[str, float]:
    """Return ``mse_to_teacher/<sample>``, the mean squared distance from the targets.

    Args:
        answers: of the student, (n, outputs) for each sample.
        targets: what it should answer, likewise.
    """
    return {
        f"mse_to_teacher/{name}": float(np.mean((answers[name] - targets[name]) ** 2))
        for name in answers
    }
