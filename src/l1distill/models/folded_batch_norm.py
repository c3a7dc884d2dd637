"""Batch normalization that is folded into the weights before they are quantized.

A layer computes the statistics of its sums in floating point, scales its kernel and moves its bias
with them, and quantizes what comes out: the network is trained as the firmware will compute it, and
in the end a plain QKeras layer holds the folded numbers (Jacob et al., arXiv:1712.05877, section
3.2).
"""

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

MOMENTUM = 0.99
EPSILON = 1e-3
"""Of Keras's ``BatchNormalization``."""


@cache
def with_batch_norm(layer: Any) -> Any:
    """Return the class of a QKeras layer that normalizes its sums.

    Args:
        layer: ``QDense`` or ``QConv2D``.
    """
    import tensorflow as tf

    class Normalized(layer):  # type: ignore[misc]
        plain = layer

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            channels = (self.kernel.shape[-1],)
            for name, value, trained in (
                *(("gamma", "ones", True), ("beta", "zeros", True)),
                *(("moving_mean", "zeros", False), ("moving_variance", "ones", False)),
            ):
                weight = self.add_weight(name, channels, initializer=value, trainable=trained)
                setattr(self, name, weight)

        def call(self, inputs: "tf.Tensor", training: Any = None) -> "tf.Tensor":
            if isinstance(training, bool | int) and training:
                sums = self._linear(inputs, self.kernel) + self.bias
                mean, variance = tf.nn.moments(sums, list(range(len(sums.shape) - 1)))
                for moving, batch in (
                    (self.moving_mean, mean),
                    (self.moving_variance, variance),
                ):
                    moving.assign(moving * MOMENTUM + tf.stop_gradient(batch) * (1.0 - MOMENTUM))
            else:
                mean, variance = self.moving_mean, self.moving_variance
            kernel, bias = self.fold(mean, variance)
            if self.kernel_quantizer is not None:
                kernel = self.kernel_quantizer_internal(kernel)
                bias = self.bias_quantizer_internal(bias)
            return self._linear(inputs, kernel) + bias

        def fold(self, mean: "tf.Tensor", variance: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
            """Return kernel and bias that do the work of the normalization as well."""
            scale = self.gamma * tf.math.rsqrt(variance + EPSILON)
            return self.kernel * scale, (self.bias - mean) * scale + self.beta

        def _linear(self, inputs: "tf.Tensor", kernel: "tf.Tensor") -> "tf.Tensor":
            if len(kernel.shape) == 2:
                return tf.matmul(inputs, kernel)
            return tf.nn.conv2d(inputs, kernel, self.strides, self.padding.upper())

    Normalized.__name__ = f"Normalized{layer.__name__}"
    return Normalized


def fold_batch_norm(model: "keras.Model") -> "keras.Model":
    """Return the network with plain layers, whose weights hold the normalization.

    Args:
        model: a student; returned as it is where nothing in it normalizes.
    """
    from tensorflow import keras

    from l1distill.models.known_classes import custom_objects

    if not any(hasattr(layer, "fold") for layer in model.layers):
        return model

    def plain(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        return layer.plain.from_config(layer.get_config()) if hasattr(layer, "fold") else layer

    with warnings.catch_warnings(), keras.utils.custom_object_scope(custom_objects()):
        warnings.simplefilter("ignore", UserWarning)  # of how QKeras writes its quantizers
        folded = keras.models.clone_model(model, clone_function=plain)
    for layer in model.layers:
        if hasattr(layer, "fold"):
            weights = layer.fold(layer.moving_mean, layer.moving_variance)
            folded.get_layer(layer.name).set_weights([one.numpy() for one in weights])
    return folded
