"""What a quantized autoencoder is trained with: the teacher's own loss on rounded numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


def quantized_loss(
    model: "keras.Model",
    decoder: "Sequence[keras.layers.Layer] | None",
    standardization: Standardization,
    beta: float | None,
) -> "tuple[keras.Model, Loss]":
    """Make the model and the loss of a quantization-aware training.

    Args:
        model: from events to their reconstruction; of a VAE, from events to its latent numbers.
        decoder: of a VAE, in floating point: it is trained with the encoder and thrown away.
        standardization: of the training split.
        beta: weight of D_KL, or None for a plain autoencoder.

    Returns:
        A model that holds every variable to train, and the loss.
    """
    from tensorflow import keras

    from l1distill.tasks.anomaly.autoencoder import autoencoder_loss, sample

    def decode(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        for layer in decoder or ():
            x = layer(x, training=training)
        return x

    def compute(events: "tf.Tensor", step: Step) -> Any:
        outputs = model(events, training=step.training)
        if decoder is None:
            return outputs, None
        size = outputs.shape[1] // 2
        mean, log_variance = outputs[:, :size], outputs[:, size:]
        return decode(sample(mean, log_variance, step), step.training), (mean, log_variance)

    whole = model
    if decoder is not None:
        half = model.output_shape[1] // 2
        outputs = decode(model.output[:, :half], training=False)
        whole = keras.Model(model.input, outputs, name=model.name)
    return whole, autoencoder_loss(compute, standardization, beta)
