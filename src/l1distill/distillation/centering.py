"""What centers and scales the numbers of a teacher that is still being trained.

Measured on the training items and held for an epoch: the weights of a layer, so that they are kept
with a training's state and come back with its best weights.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.distillation.targets import TargetTransform, undone

if TYPE_CHECKING:
    import tensorflow as tf

_SMALLEST = 1e-30
"""Least score that is given a logarithm while a teacher is trained."""


def standardization(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each column of values (n, numbers).

    A column that does not vary is given the deviation 1.
    """
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    std[std < 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0
    return mean.astype(np.float32), std.astype(np.float32)


class Centering:
    """Means and deviations of a teacher's numbers, in a layer that nothing trains.

    Attributes:
        layer: holds them.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        """Make the layer.

        Args:
            widths: numbers of each kind of knowledge that is centered, beside the response.
        """
        from tensorflow import keras

        self.layer = keras.layers.Layer(name="centering", trainable=False)
        self._transform: Any = None
        self._response = self._weight("response", 3, 1.0)  # mean, deviation, threshold
        self._means = {kind: self._weight(f"{kind}_mean", n, 0.0) for kind, n in widths.items()}
        self._stds = {kind: self._weight(f"{kind}_std", n, 1.0) for kind, n in widths.items()}

    def _weight(self, name: str, size: int, value: float) -> Any:
        from tensorflow import keras

        constant = keras.initializers.Constant(value)
        return self.layer.add_weight(name, (size,), initializer=constant, trainable=False)

    def set(self, target: TargetTransform, activations: Mapping[str, NDArray[np.float32]]) -> None:
        """Measure the constants.

        Args:
            target: of the response, fitted to the training items.
            activations: of each kind of knowledge, (n, numbers).
        """
        self._transform = target.transform
        self._response.assign([target.mean, target.std, target.threshold])
        for kind in self._means:
            mean, std = standardization(activations[kind])
            self._means[kind].assign(mean)
            self._stds[kind].assign(std)

    @property
    def target(self) -> TargetTransform:
        """The transformation of the response as it is now."""
        mean, std, threshold = (float(value) for value in self._response.numpy())
        return TargetTransform(transform=self._transform, mean=mean, std=std, threshold=threshold)

    def response(self, answers: "tf.Tensor") -> "tf.Tensor":
        """Return the targets (n, outputs) of answers (n,) or (n, outputs)."""
        import tensorflow as tf

        targets = answers if answers.shape.rank == 2 else answers[:, None]
        mean, std, threshold = tf.unstack(self._response)
        if self._transform == "log_standardized":
            return (tf.math.log(tf.maximum(targets, _SMALLEST)) - mean) / std
        if self._transform == "standardized":
            return (targets - mean) / std
        if self._transform == "above":
            return tf.cast(targets > threshold, tf.float32)
        return targets

    def undo(self, outputs: "tf.Tensor") -> "tf.Tensor":
        """Return a student's outputs in the teacher's own scale; a decision's logits stay."""
        import tensorflow as tf

        mean, std, _ = tf.unstack(self._response)
        return undone(self._transform, outputs, mean, std)

    def centered(self, kind: str, values: "tf.Tensor") -> "tf.Tensor":
        """Return numbers (n, numbers) centered and scaled, where their kind is."""
        if kind not in self._means:
            return values
        return (values - self._means[kind]) / self._stds[kind]
