"""Losses and anomaly scores of Govorkova et al. (arXiv:2108.03986), sections III and IV."""

import math
from typing import TYPE_CHECKING, Any

from l1distill.tasks.anomaly.events import ETA_LIMITS, MET, N_OBJECTS

if TYPE_CHECKING:
    import tensorflow as tf

LOG_VARIANCE_LIMIT = 60.0
"""Encoders say numbers beyond it of events unlike all that they were trained on; a float32 cannot
hold their exponential."""


def reconstruction_error(target: Any, output: Any) -> "tf.Tensor":
    """Mean squared error of an event, blind to what is not there.

    Outputs for eta and phi pass through a tanh that is re-scaled to the physical boundary of the
    object. Padded objects, and the eta of MET, which is zero by construction, count as exact.

    Args:
        target: (n, 19, 4) standardized pT, eta, phi and the presence of the object.
        output: (n, 57), (n, 19, 3) or (n, 19, 3, 1), what the autoencoder returned.

    Returns:
        (n,): the sum of the squared errors over 57.
    """
    import numpy as np
    import tensorflow as tf

    eta_limit = np.zeros(N_OBJECTS, np.float32)
    for slots, limit in ETA_LIMITS.values():
        eta_limit[slots] = limit
    has_eta = np.ones((N_OBJECTS, 3), np.float32)
    has_eta[MET, 1] = 0.0
    output = tf.reshape(output, (-1, N_OBJECTS, 3))
    bounded = tf.stack(
        [
            output[:, :, 0],
            eta_limit * tf.tanh(output[:, :, 1]),
            math.pi * tf.tanh(output[:, :, 2]),
        ],
        axis=-1,
    )
    difference = (target[:, :, :3] - bounded) * target[:, :, 3:] * has_eta
    return tf.reduce_sum(tf.square(difference), axis=(1, 2)) / (3.0 * N_OBJECTS)


def presence_error(target: Any, logits: Any) -> "tf.Tensor":
    """Cross-entropy of which objects an event has.

    Args:
        target: (n, 19, 4), the last of which is the presence of the object.
        logits: (n, 19) of each object being there.

    Returns:
        (n,): the mean over the objects [nat].
    """
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.softplus(logits) - target[:, :, 3] * logits, axis=1)


def event_error(target: Any, output: Any, presence: float = 0.0) -> "tf.Tensor":
    """Error of an event: that of its reconstruction, and of which objects are there.

    Args:
        target: (n, 19, 4), see :func:`reconstruction_error`.
        output: of the autoencoder: with a presence term (n, 57 + 19), the logits behind the
            reconstruction.
        presence: weight of the presence term.

    Returns:
        (n,).
    """
    if not presence:
        return reconstruction_error(target, output)
    numbers = 3 * N_OBJECTS
    error = reconstruction_error(target, output[:, :numbers])
    return error + presence * presence_error(target, output[:, numbers:])


def bounded(log_variance: Any) -> "tf.Tensor":
    """Clips a logarithm to where its exponential is a number that float32 can go on with."""
    import tensorflow as tf

    return tf.clip_by_value(log_variance, -LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)


def kl_divergence(mean: Any, log_variance: Any) -> "tf.Tensor":
    """D_KL of a VAE's latent space from a unit Gaussian (eq. 2).

    Args:
        mean: (n, k).
        log_variance: (n, k), the logarithm of sigma squared.

    Returns:
        (n,).
    """
    import tensorflow as tf

    log_variance = bounded(log_variance)
    terms = log_variance - tf.exp(log_variance) - tf.square(mean) + 1.0
    return -0.5 * tf.reduce_sum(terms, axis=1)


def origin_z_score(mean: Any, log_variance: Any) -> "tf.Tensor":
    """R_z: how many standard deviations the origin is from the mean, squared (eq. 3).

    Args:
        mean: (n, k).
        log_variance: (n, k).

    Returns:
        (n,).
    """
    import tensorflow as tf

    return tf.reduce_sum(tf.square(mean) * tf.exp(-bounded(log_variance)), axis=1)
