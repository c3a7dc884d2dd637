"""Training an autoencoder on background, and scoring events with it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.standardisation import Standardisation
from l1distill.models.losses import reconstruction_error
from l1distill.models.training import History, Sample, TrainingSettings, fit

if TYPE_CHECKING:
    from tensorflow import keras

SCORING_BATCH = 4096


def train_autoencoder(
    model: "keras.Model",
    standardisation: Standardisation,
    train: NDArray[np.floating[Any]],
    validation: NDArray[np.floating[Any]],
    settings: TrainingSettings,
    on_epoch: Callable[[int, Mapping[str, float]], None],
) -> History:
    """Fits an autoencoder to reconstruct background events.

    Args:
        model: the autoencoder, fitted in place.
        standardisation: of the training split.
        train: (n, 19, 3) raw objects.
        validation: (m, 19, 3) raw objects.
        settings: how to fit.
        on_epoch: called after each epoch.
    """

    def sample(objects: NDArray[np.floating[Any]]) -> Sample:
        return Sample(objects.astype(np.float32)[..., None], standardisation.target(objects))

    return fit(model, reconstruction_error, sample(train), sample(validation), settings, on_epoch)


def anomaly_scores(
    model: "keras.Model", standardisation: Standardisation, objects: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Scores events by their reconstruction error ("input-output" score, section IV).

    Args:
        model: a trained autoencoder.
        standardisation: the one it was trained with.
        objects: (n, 19, 3) raw objects.

    Returns:
        (n,) scores; the higher, the more anomalous.
    """
    output = model.predict(
        objects.astype(np.float32)[..., None], batch_size=SCORING_BATCH, verbose=0
    )
    scores = [
        reconstruction_error(
            standardisation.target(objects[start : start + SCORING_BATCH]),
            output[start : start + SCORING_BATCH],
        ).numpy()
        for start in range(0, len(objects), SCORING_BATCH)
    ]
    return np.concatenate(scores)
