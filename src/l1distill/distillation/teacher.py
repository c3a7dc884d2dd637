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
from l1distill.training.checkpoint import file_of_part
from l1distill.training.determinism import make_deterministic
from l1distill.training.earlier_epochs import LaterEpochs
from l1distill.training.fit import (
    VALIDATION_BATCH,
    Arrays,
    Fit,
    Loss,
    OnEpoch,
    check_arrays,
    fit,
    ignore_epoch,
    outside_of_training,
)
from l1distill.training.history import History
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tensorflow import keras

    from l1distill.core.progress import Advance
    from l1distill.data.dataset import Dataset


EVENTS_OF_A_BLOCK = 100
"""Events that a teacher of whole events is asked about in one piece, where pieces are asked for."""


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
class StreamingTeacher(Protocol):
    """A teacher of whole events, each of many items, which it streams from the data set's files.

    It brings a training of its own, since its losses are of events and not of items.
    """

    def prunable_layers(self) -> Sequence[str]:
        """Name the layers that pruning may touch."""

    def train_on(
        self, dataset: "Dataset", *, seed: int, on_epoch: OnEpoch, checkpoint: Path | None
    ) -> "TrainedTeacher":
        """Train on the training split, and choose the epoch on the validation split.

        Args:
            dataset: whose training sample it is trained on.
            seed: of weights and shuffling.
            on_epoch: called after each epoch with its number and losses.
            checkpoint: file that keeps the state, so that a killed training goes on.

        Raises:
            DataError: a file of the data set cannot be used.
            FloatingPointError: a loss was not finite.
        """

    def read(self, path: Path) -> "keras.Model":
        """Read a trained network, with whatever layers it is made of.

        Raises:
            DataError: the file is missing, damaged, or holds no network.
        """

    def answers_on(
        self,
        model: "keras.Model",
        dataset: "Dataset",
        sample: str,
        advance: "Advance",
        events: slice | None = None,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return everything that the trained network says of the items of a sample.

        Args:
            model: the trained network.
            dataset: has the sample.
            sample: its name.
            advance: told how many events are done.
            events: those whose items are asked about; None: all. Where they begin at a multiple of
                :data:`EVENTS_OF_A_BLOCK`, the answers are those of a pass over all, bit for bit.

        Returns:
            Name of each answer to (items,) or (items, outputs) finite numbers.
        """


AnyTeacher = Teacher | StreamingTeacher


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


@runtime_checkable
class Ensemble(Protocol):
    """A teacher of several networks that are trained apart from one another."""

    @property
    def members(self) -> int:
        """How many; one is no ensemble."""

    def member(self) -> Teacher:
        """Return the teacher of one of them."""

    def join(self, models: "Sequence[keras.Model]") -> "keras.Model":
        """Return the network that holds the trained networks of the members."""


def members_of(teacher: AnyTeacher) -> int:
    """Return how many networks are trained for a teacher, one after the other."""
    return teacher.members if isinstance(teacher, Ensemble) else 1


@dataclass(frozen=True, kw_only=True)
class TrainedTeacher:
    """A trained teacher.

    Attributes:
        model: with the weights of its best epoch.
        history: losses by epoch; of an ensemble those of its members, one after the other.
        sparsity: share of the prunable weights that are zero.
        ensemble_loss: validation loss of the members together; None where there is one network.
    """

    model: "keras.Model"
    history: History
    sparsity: float
    ensemble_loss: float | None = None

    def metrics(self) -> dict[str, float]:
        """Return ``parameters``, ``sparsity``, ``epochs`` and ``best_validation_loss``.

        Of an ensemble also ``ensemble_validation_loss``.
        """
        together = {"ensemble_validation_loss": self.ensemble_loss}
        return {
            **{name: value for name, value in together.items() if value is not None},
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

    The members of an ensemble are trained one after the other: the first with the seed, the next
    with that plus one, each as it would be alone.

    Args:
        teacher: the network and its loss; of a task, or of the user's.
        train: arrays (n, ...) that the loss takes, of the items to fit.
        validation: the same of the items that decide when to stop.
        training: epochs, batch size, learning rate, patience.
        pruning: how sparse, and when; None: not at all.
        seed: of weights, shuffling and noise.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state, so that a killed training goes on; those of the
            members of an ensemble are beside it.

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
    if not isinstance(teacher, Ensemble) or teacher.members == 1:
        trained = _train_one(
            teacher, train, validation, training, pruning, seed, on_epoch, checkpoint
        )
        if isinstance(teacher, CalibratedTeacher):
            teacher.calibrate(trained.model, train[0])
        return trained
    history, models = History(), []
    for number in range(teacher.members):
        before = len(history.loss)
        of_member = file_of_part(checkpoint, f"member-{number + 1}")

        tell = LaterEpochs(on_epoch, before)
        one = _train_one(
            teacher.member(), train, validation, training, pruning, seed + number, tell, of_member
        )
        history = History(
            loss=[*history.loss, *one.history.loss],
            validation_loss=[*history.validation_loss, *one.history.validation_loss],
        )
        models.append(one.model)
    joined = teacher.join(models)
    if isinstance(teacher, CalibratedTeacher):
        teacher.calibrate(joined, train[0])
    return TrainedTeacher(
        model=joined,
        history=history,
        sparsity=one.sparsity,
        ensemble_loss=_mean_loss(teacher.loss(joined, VALIDATION_BATCH), validation),
    )


def _mean_loss(loss: Loss, arrays: Arrays) -> float:
    """Return the mean loss of items outside of a training."""
    import tensorflow as tf

    step, total, items = outside_of_training(), 0.0, len(arrays[0])
    for start in range(0, items, VALIDATION_BATCH):
        block = [tf.constant(a[start : start + VALIDATION_BATCH], tf.float32) for a in arrays]
        total += float(tf.reduce_sum(loss(block, step)))
    return total / items


def _train_one(
    teacher: Teacher,
    train: Arrays,
    validation: Arrays,
    training: TrainingSettings,
    pruning: PruningSettings,
    seed: int,
    on_epoch: OnEpoch,
    checkpoint: Path | None,
) -> TrainedTeacher:
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
    return TrainedTeacher(
        model=trained, history=history, sparsity=measure_sparsity(trained, prunable)
    )
