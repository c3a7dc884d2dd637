"""What an autoencoder is fitted to, and how events are scored with it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.models.conv_as_matmul import unroll
from l1distill.tasks.anomaly.losses import (
    bounded,
    event_error,
    kl_divergence,
    origin_z_score,
)
from l1distill.tasks.anomaly.settings import Score
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teachers import N_INPUTS, Autoencoder, numbers_of_event
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

SCORING_BATCH = 4096


class Outputs(NamedTuple):
    """What an autoencoder says of events, or the part of it that is there.

    Attributes:
        reconstruction: (n, 57), before the tanh of eta and phi, and 19 logits of presence behind
            them where these are learned; None for an encoder alone.
        mean: (n, k) of a VAE's latent Gaussian; None for a plain autoencoder.
        log_variance: (n, k), likewise.
    """

    reconstruction: NDArray[np.float32] | None
    mean: NDArray[np.float32] | None
    log_variance: NDArray[np.float32] | None


def target(standardization: Standardization, objects: "tf.Tensor") -> "tf.Tensor":
    """Returns what an autoencoder has to reconstruct, computed where the events are.

    Args:
        standardization: of the training split.
        objects: (n, 19, 3) pT [GeV], eta, phi; absent objects are zero.

    Returns:
        (n, 19, 4): standardized pT, eta, phi, and 1 where there is an object, 0 elsewhere.
    """
    import tensorflow as tf

    present = tf.cast(objects[:, :, :1] > 0, tf.float32)
    mean = tf.constant(standardization.pt_mean, tf.float32)
    std = tf.constant(standardization.pt_std, tf.float32)
    pt = (objects[:, :, :1] - mean[:, None]) / std[:, None]
    return tf.concat([pt, objects[:, :, 1:], tf.ones_like(present)], axis=2) * present


Latent = tuple["tf.Tensor", "tf.Tensor"]
Compute = Callable[["tf.Tensor", Step], tuple["tf.Tensor", Latent | None]]
"""From flattened events (n, 57) to the reconstruction (n, 57), logits of presence (n, 19) behind it
where these are learned, and, of a VAE, mean and logarithm of the variance."""


def unrolled(autoencoder: Autoencoder, batch: int) -> Compute:
    """Makes the function that computes an autoencoder in training, ``batch`` events at a time."""
    encode = unroll(autoencoder.encoder, batch)
    heads = [unroll(head, batch) for head in autoencoder.latent]
    decode = _decoder(autoencoder, batch)

    def compute(events: "tf.Tensor", step: Step) -> tuple["tf.Tensor", Latent | None]:
        features = encode(events, step.training)
        latent = [head(features, step.training) for head in heads]
        if not autoencoder.variational:
            return decode(latent[0], step.training), None
        mean, log_variance = latent
        z = sample(mean, log_variance, step)
        return decode(z, step.training), (mean, log_variance)

    return compute


def _decoder(autoencoder: Autoencoder, batch: int) -> "Callable[[tf.Tensor, bool], tf.Tensor]":
    """Make the function from the latent space to the reconstruction, and logits behind it."""
    import tensorflow as tf

    if not autoencoder.presence:
        return unroll(autoencoder.decoder, batch)
    shared = unroll(autoencoder.decoder[: autoencoder.shared], batch)
    ends = [
        unroll(chain, batch)
        for chain in (autoencoder.decoder[autoencoder.shared :], autoencoder.presence)
    ]

    def decode(z: "tf.Tensor", training: bool) -> "tf.Tensor":
        x = shared(z, training)
        return tf.concat([end(x, training) for end in ends], axis=1)

    return decode


def sample(mean: "tf.Tensor", log_variance: "tf.Tensor", step: Step) -> "tf.Tensor":
    """Draws from a VAE's latent Gaussian in training; otherwise takes its mean."""
    import tensorflow as tf

    if not step.training:
        return mean
    noise = tf.random.stateless_normal(tf.shape(mean), step.seed)
    return mean + tf.exp(0.5 * bounded(log_variance)) * noise


def autoencoder_loss(
    compute: Compute,
    standardization: Standardization,
    beta: float | None,
    presence: float = 0.0,
) -> Loss:
    """Makes the loss of an autoencoder: its error, for a VAE mixed with D_KL (eq. 1).

    Args:
        compute: the autoencoder.
        standardization: of the training split.
        beta: weight of D_KL, or None for a plain autoencoder.
        presence: weight of the presence term beside the MSE.
    """
    import tensorflow as tf

    def loss(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
        (objects,) = batch
        reconstruction, latent = compute(tf.reshape(objects, (-1, N_INPUTS)), step)
        mse = event_error(target(standardization, objects), reconstruction, presence)
        if beta is None or latent is None:
            return mse
        return (1.0 - beta) * mse + beta * kl_divergence(*latent)

    return loss


def predict(
    model: "keras.Model", objects: NDArray[np.floating[Any]], *, has_presence: bool = False
) -> Outputs:
    """Runs an autoencoder; a VAE decodes its mean.

    Args:
        model: as :meth:`teachers.Autoencoder.model` puts it together.
        objects: (n, 19, 3) raw objects.
        has_presence: whether it learned which objects are there.
    """
    inputs = [objects.reshape(-1, N_INPUTS).astype(np.float32)]
    variational = len(model.inputs) == 2
    if variational:
        inputs.append(np.zeros((len(objects), model.inputs[1].shape[1]), np.float32))
    outputs = model.predict(inputs, batch_size=SCORING_BATCH, verbose=0)
    width = numbers_of_event(has_presence)
    latent = outputs[:, width:]
    if not variational:
        return Outputs(outputs[:, :width], None, None)
    size = latent.shape[1] // 2
    return Outputs(outputs[:, :width], latent[:, :size], latent[:, size:])


def anomaly_scores(
    outputs: Outputs,
    standardization: Standardization,
    objects: NDArray[np.floating[Any]],
    presence: float = 0.0,
) -> dict[Score, NDArray[np.float32]]:
    """Scores events in every way that is defined for the autoencoder (section IV).

    Args:
        outputs: what the autoencoder says of the events.
        standardization: the one it was trained with.
        objects: (n, 19, 3) raw objects.
        presence: weight of the presence term that the error holds.

    Returns:
        ``mse`` if there is a reconstruction, ``kl`` and ``rz`` of a VAE: (n,) each, finite; the
        higher, the more anomalous.
    """
    scores: dict[Score, NDArray[np.float32]] = {}
    if outputs.reconstruction is not None:
        mse = [
            event_error(
                target(standardization, objects[start : start + SCORING_BATCH].astype(np.float32)),
                outputs.reconstruction[start : start + SCORING_BATCH],
                presence,
            ).numpy()
            for start in range(0, len(objects), SCORING_BATCH)
        ]
        scores["mse"] = np.concatenate(mse)
    if outputs.log_variance is not None:
        latent = outputs.mean, outputs.log_variance
        scores["kl"] = kl_divergence(*latent).numpy()
        scores["rz"] = origin_z_score(*latent).numpy()
    return scores
