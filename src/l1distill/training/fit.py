"""The training loop that teachers and students share.

Events stay where they are, in one array: a step gathers its batch by index, and whatever a loss
needs beyond it (a standardized target, noise) is computed in the graph. Shuffling and noise follow
from the seed and the epoch, so that a training that was killed goes on as if it had not been.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.settings import Settings

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

VALIDATION_BATCH = 4096


class TrainingSettings(Settings):
    """How a network is fitted."""

    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    patience: int = Field(gt=0)
    """Epochs without a better validation loss after which the training stops."""


class Sample(NamedTuple):
    """Inputs and targets of the same events: (n, ...) each."""

    inputs: NDArray[np.floating[Any]]
    targets: NDArray[np.floating[Any]]


class History(NamedTuple):
    """Losses by epoch."""

    loss: list[float]
    validation_loss: list[float]


class Step(NamedTuple):
    """What a loss may want to know beside its batch."""

    training: bool
    seed: Any
    """(2,) int32, another one each step, for stateless random numbers."""


Arrays = Sequence[NDArray[np.floating[Any]]]
Loss = Callable[[Sequence["tf.Tensor"], Step], "tf.Tensor"]
"""From a batch of each array and the step to the loss of each event, (batch,)."""


class Fit(NamedTuple):
    """A training: what is fitted, to what, and how.

    Attributes:
        model: holds every variable that the loss depends on; fitted in place.
        loss: of each event of a batch.
        settings: epochs, batch size, learning rate, patience.
        seed: of shuffling and noise.
        callbacks: Keras callbacks that are told of each batch, as pruning needs.
        best_from_epoch: the first epoch whose weights may be kept; before it a pruned network is
            not yet as sparse as was asked for.
        xla: compile the step with XLA, which fuses what small networks spend most time on. What
            updates masks or holds QKeras layers is left to TensorFlow.
    """

    model: "keras.Model"
    loss: Loss
    settings: TrainingSettings
    seed: int
    callbacks: Sequence["keras.callbacks.Callback"] = ()
    best_from_epoch: int = 0
    xla: bool = False


def make_deterministic(seed: int) -> None:
    """Seeds every generator and asks TensorFlow for reproducible kernels."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def supervised(model: "keras.Model", name: str) -> Loss:
    """Makes the loss of a network that is fitted to given targets, from Keras's name of it."""
    from tensorflow import keras

    distance = keras.losses.get(name)

    def loss(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
        inputs, targets = batch
        answers = model(inputs, training=step.training)
        return distance(keras.backend.reshape(targets, keras.backend.shape(answers)), answers)

    return loss


def fit(
    what: Fit,
    train: Arrays,
    validation: Arrays,
    on_epoch: Callable[[int, Mapping[str, float]], None],
    checkpoint: Path | None = None,
) -> History:
    """Fits with Adam and early stopping, and leaves the model with its best weights.

    Args:
        what: the training.
        train: arrays (n, ...) of the events to fit, each handed to the loss in batches.
        validation: the same of the events that decide when to stop.
        on_epoch: called after each epoch with its number and losses; first of all for the epochs
            of a state that is taken up.
        checkpoint: where to keep the state after each epoch; a state that is there already is
            taken up. The caller vouches that it belongs to the same training.

    Returns:
        The losses of the epochs that were run.

    Raises:
        FloatingPointError: a loss was not finite.
    """
    from tensorflow import keras

    model, settings = what.model, what.settings
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(model.trainable_variables)
    state = _State(model, optimizer, checkpoint)
    steps, evaluate = _compiled(what, optimizer, train, validation)
    for callback in what.callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, losses in enumerate(state.losses()):
        on_epoch(epoch, losses)
    while not state.ended and state.epoch < settings.epochs:
        epoch = state.epoch
        order = np.random.default_rng([what.seed, epoch]).permutation(len(train[0]))
        total = steps(order, epoch)
        for callback in what.callbacks:
            callback.on_epoch_end(epoch)
        losses = {"loss": total / len(order), "val_loss": evaluate()}
        if not all(np.isfinite(value) for value in losses.values()):
            raise FloatingPointError(
                f"{model.name}: the loss became {losses} in epoch {epoch}; "
                "try a smaller training.learning_rate"
            )
        state.add(losses, settings.patience, what.best_from_epoch)
        on_epoch(epoch, losses)
    model.set_weights(state.best_weights)
    return state.history


def _compiled(
    what: Fit, optimizer: "keras.optimizers.Optimizer", train: Arrays, validation: Arrays
) -> tuple[Callable[[NDArray[np.int64], int], float], Callable[[], float]]:
    """Compiles the steps of an epoch, which sum the loss, and the validation loss."""
    import tensorflow as tf

    def tensors(arrays: Arrays) -> list["tf.Tensor"]:
        return [tf.constant(array, tf.float32) for array in arrays]

    seen, held_out = tensors(train), tensors(validation)
    variables = what.model.trainable_variables

    def step(rows: "tf.Tensor", epoch: "tf.Tensor", start: "tf.Tensor") -> "tf.Tensor":
        batch = [tf.gather(array, rows) for array in seen]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(what.loss(batch, Step(True, tf.stack([epoch, start]))))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss * tf.cast(tf.size(rows), tf.float32)

    @tf.function(jit_compile=what.xla)  # type: ignore[untyped-decorator]
    def run(batches: "tf.Tensor", epoch: "tf.Tensor", start: "tf.Tensor") -> "tf.Tensor":
        total = tf.zeros(())
        for number in tf.range(tf.shape(batches)[0]):
            total += step(batches[number], epoch, start + number * tf.shape(batches)[1])
        return total

    def steps(order: NDArray[np.int64], epoch: int) -> float:
        """Hands over all batches at once, but where a callback wants to hear of each."""
        size = what.settings.batch_size
        whole = len(order) - len(order) % size
        at_once = size if what.callbacks else max(whole, 1)
        total = 0.0
        for first, last in [*_spans(0, whole, at_once), *_spans(whole, len(order), size)]:
            for callback in what.callbacks:
                callback.on_train_batch_begin(first)
            batches = order[first:last].reshape(-1, min(size, last - first)).astype(np.int32)
            total += float(run(batches, np.int32(epoch), np.int32(first)))
        return total

    @tf.function(jit_compile=what.xla)  # type: ignore[untyped-decorator]
    def summed(batch: list["tf.Tensor"]) -> "tf.Tensor":
        return tf.reduce_sum(what.loss(batch, Step(False, tf.zeros(2, tf.int32))))

    def evaluate() -> float:
        events = len(validation[0])
        starts = range(0, events, VALIDATION_BATCH)
        sums = [summed([a[start : start + VALIDATION_BATCH] for a in held_out]) for start in starts]
        return float(np.sum([float(value) for value in sums])) / events

    return steps, evaluate


def _spans(first: int, last: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, last)) for start in range(first, last, size)]


class _State:
    """Where a training is: everything that has to survive a kill."""

    def __init__(
        self,
        model: "keras.Model",
        optimizer: "keras.optimizers.Optimizer",
        path: Path | None,
    ) -> None:
        self._model, self._optimizer, self._path = model, optimizer, path
        self.history = History([], [])
        self.best_weights: list[NDArray[Any]] = model.get_weights()
        self._best, self._since_best = float("inf"), 0
        self.ended = False
        if path is not None and path.is_file():
            self._load(path)

    @property
    def epoch(self) -> int:
        """The next epoch."""
        return len(self.history.loss)

    def losses(self) -> list[dict[str, float]]:
        """The losses of the epochs that were run so far."""
        return [
            {"loss": loss, "val_loss": validation}
            for loss, validation in zip(*self.history, strict=True)
        ]

    def add(self, losses: Mapping[str, float], patience: int, best_from_epoch: int) -> None:
        """Takes note of an epoch."""
        epoch = self.epoch
        self.history.loss.append(losses["loss"])
        self.history.validation_loss.append(losses["val_loss"])
        if epoch < best_from_epoch:
            self.best_weights = self._model.get_weights()
        elif losses["val_loss"] < self._best:
            self._best, self._since_best = losses["val_loss"], 0
            self.best_weights = self._model.get_weights()
        else:
            self._since_best += 1
            self.ended = self._since_best >= patience
        if self._path is not None:
            self._save(self._path)

    def _save(self, path: Path) -> None:
        arrays = {f"weight-{i}": a for i, a in enumerate(self._model.get_weights())}
        arrays |= {f"best-{i}": a for i, a in enumerate(self.best_weights)}
        arrays |= {f"optimizer-{i}": v.numpy() for i, v in enumerate(self._optimizer.variables)}
        state = np.array([self._best, self._since_best, self.ended], np.float64)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, state=state, history=np.array(self.history), **arrays)
        Path(temporary).replace(path)

    def _load(self, path: Path) -> None:
        with np.load(path) as file:
            names = len(self._model.get_weights())
            self._model.set_weights([file[f"weight-{i}"] for i in range(names)])
            self.best_weights = [file[f"best-{i}"] for i in range(names)]
            for i, variable in enumerate(self._optimizer.variables):
                variable.assign(file[f"optimizer-{i}"])
            self.history = History(*(row.tolist() for row in file["history"]))
            self._best, since, ended = (float(value) for value in file["state"])
            self._since_best, self.ended = int(since), bool(ended)
