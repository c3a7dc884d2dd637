"""A teacher that is no autoencoder: it tells classes apart."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.distillation.open_teacher import OUTPUTS, Arrays, Compute
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

CLASSES = 3


class Classifier:
    """Three classes of points in a plane, and the cross-entropy."""

    def build(self) -> "keras.Model":
        from tensorflow.keras import Model, layers

        points = layers.Input((2,), name="points")
        hidden = layers.Dense(8, activation="relu", name="hidden")(points)
        return Model(points, layers.Dense(CLASSES, name="logits")(hidden), name="classifier")

    def prunable_layers(self) -> Sequence[str]:
        return ["hidden"]

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        import tensorflow as tf

        def cross_entropy(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
            points, labels = batch
            logits = model(points, training=step.training)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)

        return cross_entropy

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        return {"logits": model.predict(items, verbose=0)}


class QuantizableClassifier(Classifier):
    """All of it goes on the FPGA."""

    def firmware_part(self, model: "keras.Model") -> "keras.Model":
        return model

    def firmware_inputs(self, items: NDArray[Any]) -> NDArray[Any]:
        return items

    def firmware_answer(self) -> str:
        return "logits"

    def firmware_answers(
        self, outputs: NDArray[np.floating[Any]], items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.floating[Any]]]:
        return {"logits": outputs}

    def quantized_loss(
        self, quantized: "keras.Model", model: "keras.Model"
    ) -> "tuple[keras.Model, Loss]":
        return quantized, self.loss(quantized, 0)


def points(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points (n, 2) around three centers, and to which of them each belongs (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    centers = np.array([[0.0, 2.0], [-2.0, -1.0], [2.0, -1.0]])
    x = centers[labels] + rng.normal(0.0, 0.5, (n, 2))
    return x.astype(np.float32), labels.astype(np.float32)


class OpenClassifier(Classifier):
    """One whose network a student may ask, and whose labels it may be told.

    Its answer is its doubt: the entropy of its classes.
    """

    def latent_layers(self) -> Sequence[str]:
        return ["hidden"]

    def outputs(self) -> int:
        return CLASSES

    def compute(self, model: "keras.Model", layers: Sequence[str]) -> Compute:
        from tensorflow import keras

        ends = {OUTPUTS: model.output, **{name: model.get_layer(name).output for name in layers}}
        inside = keras.Model(model.input, ends)
        return lambda arrays, step: inside(arrays[0], training=step.training)

    def loss_of(self, outputs: "tf.Tensor", arrays: Arrays, step: Step) -> "tf.Tensor":
        import tensorflow as tf

        labels = tf.cast(arrays[1], tf.int32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)

    def answer_of(self, outputs: "tf.Tensor", arrays: Arrays) -> "tf.Tensor":
        import tensorflow as tf

        logs = tf.nn.log_softmax(outputs)
        return -tf.reduce_sum(tf.exp(logs) * logs, axis=1)

    def student_loss(self, answers: "tf.Tensor", arrays: Arrays) -> "tf.Tensor":
        """Whether an item is of the first class."""
        import tensorflow as tf

        first = tf.cast(arrays[1] == 0.0, tf.float32)[:, None]
        return tf.nn.sigmoid_cross_entropy_with_logits(first, answers)[:, 0]
