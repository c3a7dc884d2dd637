"""A Keras layer that picks elements by their number, as the layer ``Select`` of firmware does."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="l1distill")
class SelectElements(tf.keras.layers.Layer):  # type: ignore[misc]
    """Picks elements of each event by their number, in any order, left out or repeated."""

    def __init__(self, indices: Sequence[int], shape: Sequence[int], **kwargs: Any) -> None:
        """Make the layer.

        Args:
            indices: of each result, the number of the element that it is, the last index running
                fastest.
            shape: of the results, without events.
            kwargs: of a Keras layer.
        """
        super().__init__(**kwargs)
        self.indices = tuple(int(index) for index in indices)
        self.shape = tuple(int(size) for size in shape)

    def call(self, inputs: Any) -> Any:
        """Return (n, *shape) elements of (n, ...) inputs."""
        flat = tf.reshape(inputs, (tf.shape(inputs)[0], -1))
        return tf.reshape(tf.gather(flat, self.indices, axis=1), (-1, *self.shape))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "indices": self.indices, "shape": self.shape}
