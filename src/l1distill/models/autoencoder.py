"""What an autoencoder is fitted to, and how events are scored with it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.data.standardisation import Standardisation
from l1distill.models.losses import kl_divergence, origin_z_score, reconstruction_error
from l1distill.models.teachers import N_INPUTS, Autoencoder, Score
from l1distill.models.training import Loss, Step
from l1distill.models.unrolled import unroll

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

SCORING_BATCH = 4096


class Outputs(NamedTuple):
    """What an autoencoder says of events.

    Attributes:
        reconstruction: (n, 57), before the tanh of eta and phi.
        mean: (n, k) coordinates in the latent space.
        log_variance: (n, k), or None for a plain autoencoder.
    """

    reconstruction: NDArray[np.float32]
    mean: NDArray[np.float32]
    log_variance: NDArray[np.float32] | None


def target(standardisation: Standardisation, objects: "tf.Tensor") -> "tf.Tensor":
    """Returns what an autoencoder has to reconstruct, computed where the events are.

    Args:
        standardisation: of the training split.
        objects: (n, 19, 3) pT [GeV], eta, phi; absent objects are zero.

    Returns:
        (n, 19, 4): standardised pT, eta, phi, and 1 where there is an object, 0 elsewhere.
    """
    import tensorflow as tf

    present = tf.cast(objects[:, :, :1] > 0, tf.float32)
    mean = tf.constant(standardisation.pt_mean, tf.float32)
    std = tf.constant(standardisation.pt_std, tf.float32)
    pt = (objects[:, :, :1] - mean[:, None]) / std[:, None]
    return tf.concat([pt, objects[:, :, 1:], tf.ones_like(present)], axis=2) * present


def autoencoder_loss(
    autoencoder: Autoencoder, standardisation: Standardisation, beta: float | None, batch: int
) -> Loss:
    """Makes the loss of an autoencoder: the MSE, for a VAE mixed with D_KL (eq. 1).

    Args:
        autoencoder: the layers that are trained.
        standardisation: of the training split.
        beta: weight of D_KL, or None for a plain autoencoder.
        batch: events at a time.
    """
    import tensorflow as tf

    encode = unroll(autoencoder.encoder, batch)
    heads = [unroll(head, batch) for head in autoencoder.latent]
    decode = unroll(autoencoder.decoder, batch)

    def loss(events: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
        (objects,) = events
        features = encode(tf.reshape(objects, (-1, N_INPUTS)), step.training)
        latent = [head(features, step.training) for head in heads]
        z = latent[0]
        if beta is not None and step.training:
            noise = tf.random.stateless_normal(tf.shape(z), step.seed)
            z += tf.exp(0.5 * latent[1]) * noise
        mse = reconstruction_error(target(standardisation, objects), decode(z, step.training))
        return mse if beta is None else (1.0 - beta) * mse + beta * kl_divergence(*latent)

    return loss


def predict(model: "keras.Model", objects: NDArray[np.floating[Any]]) -> Outputs:
    """Runs an autoencoder; a VAE decodes its mean.

    Args:
        model: as :meth:`teachers.Autoencoder.model` puts it together.
        objects: (n, 19, 3) raw objects.
    """
    inputs = [objects.reshape(-1, N_INPUTS).astype(np.float32)]
    variational = len(model.inputs) == 2
    if variational:
        inputs.append(np.zeros((len(objects), model.inputs[1].shape[1]), np.float32))
    outputs = model.predict(inputs, batch_size=SCORING_BATCH, verbose=0)
    latent = outputs[:, N_INPUTS:]
    if not variational:
        return Outputs(outputs[:, :N_INPUTS], latent, None)
    size = latent.shape[1] // 2
    return Outputs(outputs[:, :N_INPUTS], latent[:, :size], latent[:, size:])


def anomaly_scores(
    outputs: Outputs, standardisation: Standardisation, objects: NDArray[np.floating[Any]]
) -> dict[Score, NDArray[np.float32]]:
    """Scores events in every way that is defined for the autoencoder (section IV).

    Args:
        outputs: what the autoencoder says of the events.
        standardisation: the one it was trained with.
        objects: (n, 19, 3) raw objects.

    Returns:
        ``mse`` and, of a VAE, ``kl`` and ``rz``: (n,) each; the higher, the more anomalous.
    """
    mse = [
        reconstruction_error(
            target(standardisation, objects[start : start + SCORING_BATCH].astype(np.float32)),
            outputs.reconstruction[start : start + SCORING_BATCH],
        ).numpy()
        for start in range(0, len(objects), SCORING_BATCH)
    ]
    scores: dict[Score, NDArray[np.float32]] = {"mse": np.concatenate(mse)}
    if outputs.log_variance is not None:
        latent = outputs.mean, outputs.log_variance
        scores["kl"] = kl_divergence(*latent).numpy()
        scores["rz"] = origin_z_score(*latent).numpy()
    return scores
