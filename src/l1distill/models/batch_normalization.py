"""Batch normalization with quantized scale and offset, for quantization-aware training.

Importing this module imports TensorFlow and makes the layer known to Keras' loaders, also under
the name that it had before.
"""

from typing import Any

import tensorflow as tf
from qkeras import get_quantizer
from tensorflow import keras


@keras.utils.register_keras_serializable(package="l1distill")
class QuantizedBatchNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Normalizes each channel: ``y = x * scale + offset`` with quantized scale and offset.

    QKeras' own layer (0.9.0) quantizes mean, variance, gamma and beta and then divides by a
    square root, which is on no grid. Here the results are quantized::

        scale = scale_quantizer(gamma / sqrt(variance + epsilon))
        offset = offset_quantizer(beta - mean * scale)

    so that what the network is trained with is what the firmware computes.
    """

    def __init__(
        self,
        scale_quantizer: Any,
        offset_quantizer: Any,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **options: Any,
    ) -> None:
        """Take QKeras quantizers, ``quantized_bits(..., alpha=1)``, and Keras' own options."""
        super().__init__(**options)
        self.scale_quantizer = get_quantizer(scale_quantizer)
        self.offset_quantizer = get_quantizer(offset_quantizer)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Make two trainable numbers and two moving statistics for each channel."""

        def add(name: str, initial: str, trainable: bool) -> Any:
            return self.add_weight(
                name=name, shape=input_shape[-1:], initializer=initial, trainable=trainable
            )

        self.gamma = add("gamma", "ones", True)
        self.beta = add("beta", "zeros", True)
        self.moving_mean = add("moving_mean", "zeros", False)
        self.moving_variance = add("moving_variance", "ones", False)
        super().build(input_shape)

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Normalize with the batch's statistics in training, else with the moving ones."""
        if training is None:
            training = keras.backend.learning_phase()
        if not training:
            scale, offset = self.constants(self.moving_mean, self.moving_variance)
            return inputs * scale + offset
        mean, variance = tf.nn.moments(inputs, list(range(len(inputs.shape) - 1)))
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign_sub((moving - batch) * (1.0 - self.momentum))
        scale, offset = self.constants(mean, variance)
        return inputs * scale + offset

    def constants(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """Return scale and offset of each channel, quantized."""
        scale = self.scale_quantizer(self.gamma * tf.math.rsqrt(variance + self.epsilon))
        return scale, self.offset_quantizer(self.beta - mean * scale)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that the layer is made from."""
        return {
            **super().get_config(),
            "scale_quantizer": keras.constraints.serialize(self.scale_quantizer),
            "offset_quantizer": keras.constraints.serialize(self.offset_quantizer),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


FORMER_NAME = "l1distill>QuantisedBatchNormalization"
"""What models were saved with up to version 0.1."""
keras.utils.get_custom_objects()[FORMER_NAME] = QuantizedBatchNormalization
