"""Training a teacher, whatever it is a teacher of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import (
    PruningSettings,
    measure_sparsity,
    strip,
    with_pruning,
)
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Arrays, Fit, Loss, OnEpoch, check_arrays, fit, ignore_epoch
from l1distill.training.history import History
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tensorflow import keras


class Teacher(Protocol):
    """A network with a loss of its own, and with answers that a student can learn."""

    def build(self) -> "keras.Model":
        """Build the untrained network; called once, after the generators were seeded."""

    def prunable_layers(self) -> Sequence[str]:
        """Name the layers that pruning may touch."""

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        """Return the loss of each item, computed by ``model``.

        Args:
            model: the network of :meth:`build`, or a copy with pruning wrappers around layers.
            batch_size: items at a time.
        """

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return everything that the trained network says of items.

        Args:
            model: the trained network, without wrappers.
            items: (n, ...) raw items.

        Returns:
            Name of each answer to (n,) or (n, outputs) finite numbers.
        """


@runtime_checkable
class CalibratedTeacher(Protocol):
    """A teacher whose answers need something measured once its network is trained."""

    def calibrate(self, model: "keras.Model", items: NDArray[Any]) -> None:
        """Measure it on the training items (n, ...), and keep it in the network."""

    def check_joint_training(self) -> None:
        """Refuse to teach while it is trained, if the answer that is handed on needs it.

        Raises:
            ConfigError: it does.
        """


@dataclass(frozen=True, kw_only=True)
class TrainedTeacher:
    """A trained teacher.

    Attributes:
        model: with the weights of its best epoch.
        history: losses by epoch.
        sparsity: share of the prunable weights that are zero.
    """

    model: "keras.Model"
    history: History
    sparsity: float

    def metrics(self) -> dict[str, float]:
        """Return ``parameters``, ``sparsity``, ``epochs`` and ``best_validation_loss``."""
        return {
            "parameters": float(self.model.count_params()),
            "sparsity": self.sparsity,
            **self.history.metrics(),
        }


def train_teacher(
    teacher: Teacher,
    train: Arrays,
    validation: Arrays,
    training: TrainingSettings,
    pruning: PruningSettings | None = None,
    *,
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> TrainedTeacher:
    """Train a teacher with Adam and early stopping, pruning it on the way if asked to.

    Args:
        teacher: the network and its loss; of a task, or of the user's.
        train: arrays (n, ...) that the loss takes, of the items to fit.
        validation: the same of the items that decide when to stop.
        training: epochs, batch size, learning rate, patience.
        pruning: how sparse, and when; None: not at all.
        seed: of weights, shuffling and noise.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state, so that a killed training goes on.

    Returns:
        The network with the weights of its best epoch among those that were fully pruned.

    Raises:
        FloatingPointError: a loss was not finite.
        ValueError: the arrays do not fit together.

    Source:
        Pruning: Zhu and Gupta, arXiv:1710.01878; schedule of arXiv:2108.03986, section VI.
    """
    pruning = pruning or PruningSettings(sparsity=0.0)
    check_arrays(train, validation)
    make_deterministic(seed)
    model = teacher.build()
    prunable = teacher.prunable_layers()
    steps_per_epoch = math.ceil(len(train[0]) / training.batch_size)
    pruned = with_pruning(model, pruning, steps_per_epoch, prunable)
    history = fit(
        Fit(
            model=pruned.model,
            loss=teacher.loss(pruned.model, training.batch_size),
            settings=training,
            seed=seed,
            callbacks=pruned.callbacks,
            best_from_epoch=pruned.full_from_epoch,
            xla=not pruned.callbacks,
        ),
        train,
        validation,
        on_epoch,
        checkpoint,
    )
    trained = strip(pruned.model)
    if isinstance(teacher, CalibratedTeacher):
        teacher.calibrate(trained, train[0])
    return TrainedTeacher(
        model=trained, history=history, sparsity=measure_sparsity(trained, prunable)
    )
