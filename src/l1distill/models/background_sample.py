"""A Keras layer that keeps what scores of the background are, for ranks, in a network's file.

Importing this module imports TensorFlow and makes the layer known to Keras' loaders.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow import keras

POINTS = 4096
"""Quantiles of a score that are kept, in the middle of equal shares of the background."""


@keras.utils.register_keras_serializable(package="l1distill")
class BackgroundSample(keras.layers.Layer):  # type: ignore[misc]
    """A layer that changes nothing and holds quantiles of scores, which no training moves."""

    def __init__(self, scores: int, **options: Any) -> None:
        """Make the layer.

        Args:
            scores: how many scores it keeps.
            options: of a Keras layer.
        """
        super().__init__(**options)
        self.scores = int(scores)

    def build(self, input_shape: Any) -> None:
        """Make the quantiles, zeros until :meth:`keep`."""
        self.quantiles = self.add_weight(
            name="quantiles", shape=(self.scores, POINTS), initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        return inputs

    def keep(self, *scores: NDArray[np.floating[Any]]) -> None:
        """Keep the quantiles of scores, (n,) each, of the training background."""
        shares = (np.arange(POINTS) + 0.5) / POINTS
        self.quantiles.assign(np.stack([np.quantile(values, shares) for values in scores]))

    def sample(self) -> NDArray[np.float32]:
        """Return the quantiles, (scores, :data:`POINTS`), as a sample of the background.

        Raises:
            ValueError: none were kept yet.
        """
        quantiles: NDArray[np.float32] = self.quantiles.numpy()
        if not quantiles.any():
            raise ValueError(f"layer {self.name}: no background was measured")
        return quantiles

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "scores": self.scores}
