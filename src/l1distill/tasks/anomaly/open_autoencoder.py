"""An autoencoder as a student asks it: outputs, activations, loss and score as TensorFlow numbers.

Outputs are what the network gives, side by side (:meth:`.teachers.Autoencoder.model`): the
reconstruction, then latent numbers. What stops at the reconstruction, as the layers behind a
student in self-distillation, has an error, and neither latent numbers nor their scores.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from l1distill.tasks.anomaly.autoencoder import target
from l1distill.tasks.anomaly.losses import event_error, kl_divergence, origin_z_score
from l1distill.tasks.anomaly.settings import Score
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teachers import N_INPUTS, numbers_of_event
from l1distill.training.fit import Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.distillation.open_teacher import Compute


def compute(model: "keras.Model", layers: Sequence[str]) -> "Compute":
    """Return a TensorFlow function of an autoencoder.

    Args:
        model: the autoencoder; a VAE takes noise beside the events, which is drawn in training.
        layers: whose activations are wanted.
    """
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.distillation.open_teacher import OUTPUTS

    ends = {OUTPUTS: model.output, **{name: model.get_layer(name).output for name in layers}}
    inside = keras.Model(model.inputs, ends)

    def asked(arrays: Sequence["tf.Tensor"], step: Step) -> Mapping[str, "tf.Tensor"]:
        inputs = [tf.reshape(arrays[0], (-1, N_INPUTS))]
        if len(model.inputs) == 2:
            shape = (tf.shape(inputs[0])[0], model.inputs[1].shape[1])
            noise = tf.random.stateless_normal(shape, step.seed) if step.training else None
            inputs.append(tf.zeros(shape) if noise is None else noise)
        results: Mapping[str, tf.Tensor] = inside(inputs, training=step.training)
        return results

    return asked


def loss_of(
    outputs: "tf.Tensor",
    events: "tf.Tensor",
    standardization: Standardization,
    beta: float | None,
    presence: float = 0.0,
) -> "tf.Tensor":
    """Return the error of a reconstruction, (n,); of a VAE mixed with D_KL (eq. 1).

    Args:
        outputs: (n, 57 or more).
        events: (n, 19, 3).
        standardization: of the training split.
        beta: weight of D_KL, or None for a plain autoencoder.
        presence: weight of the presence term.
    """
    error = _error(outputs, events, standardization, presence)
    latent = _latent(outputs, presence)
    if beta is None or latent is None:
        return error
    return (1.0 - beta) * error + beta * kl_divergence(*latent)


def score_of(
    outputs: "tf.Tensor",
    events: "tf.Tensor",
    standardization: Standardization,
    score: Score,
    presence: float = 0.0,
) -> "tf.Tensor":
    """Return the anomaly score of outputs (n, 57 or more), (n,)."""
    latent = _latent(outputs, presence)
    if score == "mse" or latent is None:
        return _error(outputs, events, standardization, presence)
    return {"kl": kl_divergence, "rz": origin_z_score}[score](*latent)


def _error(
    outputs: "tf.Tensor", events: "tf.Tensor", standardization: Standardization, presence: float
) -> "tf.Tensor":
    of_event = outputs[:, : numbers_of_event(presence > 0)]
    return event_error(target(standardization, events), of_event, presence)


def _latent(outputs: "tf.Tensor", presence: float) -> tuple[Any, Any] | None:
    """Return means and logarithms of variances, (n, k) each, if they are there."""
    start = numbers_of_event(presence > 0)
    size = (outputs.shape[1] - start) // 2
    if size <= 0:
        return None
    return outputs[:, start : start + size], outputs[:, start + size :]
