"""The training loop that teachers and students share."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.settings import Settings

if TYPE_CHECKING:
    from tensorflow import keras


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


def make_deterministic(seed: int) -> None:
    """Seeds every generator and asks TensorFlow for reproducible kernels."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    model: "keras.Model",
    loss: Callable[[Any, Any], Any] | str,
    train: Sample,
    validation: Sample,
    settings: TrainingSettings,
    on_epoch: Callable[[int, Mapping[str, float]], None],
    callbacks: Sequence["keras.callbacks.Callback"] = (),
    best_from_epoch: int = 0,
) -> History:
    """Fits with Adam and early stopping, and leaves the model with its best weights.

    Args:
        model: what to fit, in place.
        loss: Keras loss.
        train: the events to fit.
        validation: the events that decide when to stop.
        settings: epochs, batch size, learning rate, patience.
        on_epoch: called after each epoch with its number and losses.
        callbacks: more Keras callbacks, as pruning needs.
        best_from_epoch: the first epoch whose weights may be kept; before it a pruned network is
            not yet as sparse as was asked for.

    Returns:
        The losses of the epochs that were run.

    Raises:
        FloatingPointError: a loss was not finite.
    """
    from tensorflow import keras

    class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]
        """Restores the best weights at the end, also when no early stop came (Keras does not)."""

        best = float("inf")
        weights: list[NDArray[np.float32]] | None = None

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            losses = {name: float(value) for name, value in (logs or {}).items()}
            if not all(np.isfinite(value) for value in losses.values()):
                raise FloatingPointError(
                    f"{model.name}: the loss became {losses} in epoch {epoch}; "
                    "try a smaller training.learning_rate"
                )
            if epoch >= best_from_epoch and losses["val_loss"] < self.best:
                self.best, self.weights = losses["val_loss"], model.get_weights()
            on_epoch(epoch, losses)

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            if self.weights is not None:
                model.set_weights(self.weights)

    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=settings.patience, start_from_epoch=best_from_epoch
    )
    model.compile(optimizer=keras.optimizers.Adam(settings.learning_rate), loss=loss)
    fitted = model.fit(
        *train,
        validation_data=tuple(validation),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        callbacks=[*callbacks, stop, KeepBest()],
        verbose=0,
    )
    return History(
        [float(value) for value in fitted.history["loss"]],
        [float(value) for value in fitted.history["val_loss"]],
    )
