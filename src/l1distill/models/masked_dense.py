"""A Keras layer between slots of which each sees those before it alone, for autoregression.

Importing this module imports TensorFlow and makes the layer known to Keras' loaders.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow import keras


@keras.utils.register_keras_serializable(package="l1distill")
class MaskedDense(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer whose weights from a slot to those before it are zero (MADE, 1502.03509).

    Inputs and outputs are slots side by side, each with as many numbers as the others.
    """

    def __init__(self, slots: int, width: int, strict: bool, **options: Any) -> None:
        """Make the layer.

        Args:
            slots: of an item, on either side.
            width: numbers of a slot that come out.
            strict: whether a slot sees those before it alone, and not itself.
            options: of a Keras layer.
        """
        super().__init__(**options)
        self.slots, self.width, self.strict = int(slots), int(width), bool(strict)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias; what the mask hides stays at zero."""
        inputs = int(input_shape[-1])
        self.kernel = self.add_weight(
            name="kernel", shape=(inputs, self.slots * self.width), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.slots * self.width,), initializer="zeros"
        )
        self._mask = slot_mask(self.slots, inputs // self.slots, self.width, self.strict)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return (n, slots x width) of (n, slots x numbers)."""
        return tf.linalg.matmul(inputs, self.kernel * self._mask) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        own = {"slots": self.slots, "width": self.width, "strict": self.strict}
        return {**super().get_config(), **own}


def slot_mask(slots: int, inputs: int, outputs: int, strict: bool) -> NDArray[np.float32]:
    """Return 1 where an input may reach an output, else 0, (slots x inputs, slots x outputs)."""
    sees = np.triu(np.ones((slots, slots), np.float32), k=1 if strict else 0)
    return np.kron(sees, np.ones((inputs, outputs), np.float32))
