"""The training loop that teachers and students share.

Events stay where they are, in one array: a step gathers its batch by index, and whatever a loss
needs beyond it (a standardized target, noise) is computed in the graph. Shuffling and noise follow
from the seed and the epoch, so that a training that was killed goes on as if it had not been.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.training.checkpoint import Checkpoint
from l1distill.training.earlier_epochs import tell_earlier
from l1distill.training.history import History
from l1distill.training.schedule import learning_rate
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

VALIDATION_BATCH = 4096


@dataclass(frozen=True)
class Step:
    """What a loss may want to know beside its batch."""

    training: bool
    seed: Any
    """(2,) int32, another one each step, for stateless random numbers."""


def outside_of_training() -> Step:
    """Return the step of what is computed when nothing is trained."""
    import tensorflow as tf

    return Step(False, tf.zeros(2, tf.int32))


Arrays = Sequence[NDArray[np.floating[Any]]]
Loss = Callable[[Sequence["tf.Tensor"], Step], "tf.Tensor"]
"""From a batch of each array and the step to the loss of each event, (batch,)."""


OnEpoch = Callable[[int, Mapping[str, float]], None]
"""Is told the number of an epoch and its losses."""


def ignore_epoch(_epoch: int, _losses: Mapping[str, float]) -> None:
    """Take the place of a progress bar."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A training: what is fitted, to what, and how.

    Attributes:
        model: holds every variable that the loss depends on; fitted in place.
        loss: of each event of a batch.
        settings: epochs, batch size, learning rate, patience.
        seed: of shuffling and noise.
        callbacks: Keras callbacks that are told of each epoch, as pruning needs.
        best_from_epoch: the first epoch whose weights may be kept; before it a pruned network is
            not yet as sparse as was asked for.
        at_epoch: called before the first epoch and after each, before its weights are validated
            and kept: it may set weights that are not trained.
        after_step: called in the graph of each step, behind the optimizer: it may set weights that
            are not trained.
        fine_tune_from: the first epoch of a fine tuning, whose learning rate falls to zero along a
            cosine; None where there is none.
        until: the epoch before which this training stops, where another continues it; its last
            weights are kept, and it does not stop early.
        earlier: the epochs of a training that this one continues; they have their numbers, and
            their losses stand first in the history.
        xla: compile the step with XLA, which fuses what small networks spend most time on. What
            updates masks or holds QKeras layers is left to TensorFlow.
        one_by_one: start each step from Python, for losses that are compiled with XLA themselves:
            inside of a loop these take forever to compile.
    """

    model: "keras.Model"
    loss: Loss
    settings: TrainingSettings
    seed: int
    callbacks: Sequence["keras.callbacks.Callback"] = ()
    best_from_epoch: int = 0
    at_epoch: Callable[[], None] = lambda: None
    after_step: Callable[[], None] = lambda: None
    fine_tune_from: int | None = None
    until: int | None = None
    earlier: History = field(default_factory=History)
    xla: bool = False
    one_by_one: bool = False


def supervised(model: "keras.Model", name: str) -> Loss:
    """Return the loss of a network that is fitted to given targets, by Keras's name of it."""
    from tensorflow import keras

    distance = keras.losses.get(name)

    def loss(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
        inputs, targets = batch
        answers = model(inputs, training=step.training)
        return distance(keras.backend.reshape(targets, keras.backend.shape(answers)), answers)

    return loss


def check_arrays(train: Arrays, validation: Arrays) -> None:
    """Refuse arrays that are not about the same items, or none.

    Raises:
        ValueError: arrays of a split differ in length, a split is empty, or an item to validate
            with has another shape than one to train with.
    """
    for arrays, purpose in ((train, "train"), (validation, "validate")):
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) != 1:
            numbers = " and ".join(map(str, lengths))
            raise ValueError(
                f"arrays to {purpose} with must be as long as each other, not {numbers}"
            )
        if not lengths[0]:
            raise ValueError(f"no items to {purpose} with")
    shapes, others = ([array.shape[1:] for array in arrays] for arrays in (train, validation))
    if shapes != others:
        raise ValueError(
            f"an item to train with has shapes {', '.join(map(str, shapes))}, "
            f"one to validate with {', '.join(map(str, others))}"
        )


def fit(
    training: Fit,
    train: Arrays,
    validation: Arrays,
    on_epoch: OnEpoch,
    checkpoint: Path | None = None,
) -> History:
    """Fit with Adam and early stopping, and leave the model with its best weights.

    Args:
        training: what is fitted, and how.
        train: arrays (n, ...) of the events to fit, each handed to the loss in batches.
        validation: the same of the events that decide when to stop.
        on_epoch: called after each epoch with its number and losses; first of all for the epochs
            of a state that is taken up.
        checkpoint: where to keep the state after each epoch; a state that is there already is
            taken up. The caller vouches that it belongs to the same training.

    Returns:
        The losses of the epochs that were run, the earlier ones included.

    Raises:
        FloatingPointError: a loss was not finite.
        ValueError: the arrays do not fit together; see :func:`check_arrays`.
    """
    from tensorflow import keras

    check_arrays(train, validation)
    model, settings = training.model, training.settings
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(model.trainable_variables)
    state = Checkpoint(model, optimizer, checkpoint, training.earlier)
    steps, evaluate = _compiled(training, optimizer, train, validation)
    for callback in training.callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    training.at_epoch()
    told = len(training.earlier.loss)
    for epoch, losses in enumerate(state.losses()[told:], start=told):
        tell_earlier(on_epoch, epoch, losses)
    until = settings.epochs if training.until is None else training.until
    while not state.ended and state.epoch < until:
        epoch = state.epoch
        optimizer.learning_rate = learning_rate(
            settings,
            state.history.validation_loss,
            training.best_from_epoch,
            training.fine_tune_from,
        )
        order = np.random.default_rng([training.seed, epoch]).permutation(len(train[0]))
        total = steps(order, epoch)
        for callback in training.callbacks:
            callback.on_epoch_end(epoch)
        training.at_epoch()
        losses = {"loss": total / len(order), "val_loss": evaluate()}
        if not all(np.isfinite(value) for value in losses.values()):
            raise FloatingPointError(
                f"{model.name}: the loss became {losses} in epoch {epoch}; "
                "try a smaller training.learning_rate"
            )
        state.add(losses, settings.patience, training.best_from_epoch)
        on_epoch(epoch, losses)
    model.set_weights(state.best_weights)
    return state.history


def _compiled(
    training: Fit, optimizer: "keras.optimizers.Optimizer", train: Arrays, validation: Arrays
) -> tuple[Callable[[NDArray[np.int64], int], float], Callable[[], float]]:
    """Compiles the steps of an epoch, which sum the loss, and the validation loss."""
    import tensorflow as tf

    def tensors(arrays: Arrays) -> list["tf.Tensor"]:
        return [tf.constant(array, tf.float32) for array in arrays]

    seen, held_out = tensors(train), tensors(validation)
    variables = training.model.trainable_variables

    # Nothing in a loss branches on a tensor. AutoGraph would rewrite the sources of all that it
    # calls, QKeras among them, which takes seconds.
    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def step(rows: "tf.Tensor", epoch: "tf.Tensor", start: "tf.Tensor") -> "tf.Tensor":
        batch = [tf.gather(array, rows) for array in seen]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(training.loss(batch, Step(True, tf.stack([epoch, start]))))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        training.after_step()
        return loss * tf.cast(tf.size(rows), tf.float32)

    @tf.function(jit_compile=training.xla)  # type: ignore[untyped-decorator]
    def run(batches: "tf.Tensor", epoch: "tf.Tensor", start: "tf.Tensor") -> "tf.Tensor":
        total = tf.zeros(())
        for number in tf.range(tf.shape(batches)[0]):
            total += step(batches[number], epoch, start + number * tf.shape(batches)[1])
        return total

    one = tf.function(step)

    def steps(order: NDArray[np.int64], epoch: int) -> float:
        """Hand over all whole batches at once, and then the rest; or one by one."""
        size = training.settings.batch_size
        if training.one_by_one:
            starts = range(0, len(order), size)
            rows = (order[start : start + size].astype(np.int32) for start in starts)
            return float(
                sum(
                    float(one(tf.constant(row), tf.constant(epoch), tf.constant(start)))
                    for start, row in zip(starts, rows, strict=True)
                )
            )
        whole = len(order) - len(order) % size
        total = 0.0
        for first, last in ((0, whole), (whole, len(order))):
            if first == last:
                continue
            batches = order[first:last].reshape(-1, min(size, last - first)).astype(np.int32)
            total += float(run(batches, np.int32(epoch), np.int32(first)))
        return total

    @tf.function(jit_compile=training.xla, autograph=False)  # type: ignore[untyped-decorator]
    def summed(batch: list["tf.Tensor"]) -> "tf.Tensor":
        return tf.reduce_sum(training.loss(batch, outside_of_training()))

    def evaluate() -> float:
        events = len(validation[0])
        starts = range(0, events, VALIDATION_BATCH)
        sums = [summed([a[start : start + VALIDATION_BATCH] for a in held_out]) for start in starts]
        return float(np.sum([float(value) for value in sums])) / events

    return steps, evaluate
