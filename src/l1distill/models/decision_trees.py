"""A Keras layer that sums decision trees, as the layer ``DecisionTrees`` of firmware does.

Importing this module imports TensorFlow and makes the layer known to Keras' loaders.
"""

from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="l1distill")
class TreeEnsemble(tf.keras.layers.Layer):  # type: ignore[misc]
    """Sums complete binary decision trees and an offset; nothing of it is trained by gradients.

    Node ``k`` of a tree compares one feature with a threshold. It leads to node ``2 k + 1``, or to
    ``2 k + 2`` where the feature is larger; behind the last nodes are the leaves. Output ``i`` is
    the sum of the trees ``i``, ``i + outputs``, ``i + 2 outputs`` and so on.
    """

    def __init__(self, trees: int, depth: int, outputs: int = 1, **options: Any) -> None:
        """Make the layer.

        Args:
            trees: how many, of all outputs together.
            depth: comparisons from the first node to a leaf.
            outputs: how many sums.
            options: of a Keras layer.
        """
        super().__init__(**options)
        self.trees, self.depth, self.outputs = trees, depth, outputs

    def build(self, input_shape: Any) -> None:
        """Make the weights: feature and threshold of every node, leaf values, offsets."""

        def add(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
            return self.add_weight(
                name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
            )

        nodes = 2**self.depth - 1
        self.features = add("features", (self.trees, nodes), "int32")
        self.thresholds = add("thresholds", (self.trees, nodes))
        self.leaves = add("leaves", (self.trees, nodes + 1))
        self.offset = add("offset", (self.outputs,))
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return (n, outputs) sums for (n, features) inputs."""
        flat = tf.gather(inputs, tf.reshape(self.features, [-1]), axis=1)
        larger = tf.cast(flat > tf.reshape(self.thresholds, [-1]), tf.int32)
        bits = tf.reshape(larger, (-1, self.trees, 2**self.depth - 1))
        node = tf.zeros_like(bits[..., 0])
        for _ in range(self.depth):
            node = 2 * node + 1 + tf.gather(bits, node, batch_dims=2)
        leaf = tf.transpose(node - (2**self.depth - 1))
        values = tf.transpose(tf.gather(self.leaves, leaf, batch_dims=1))
        rounds = tf.reshape(values, (-1, self.trees // self.outputs, self.outputs))
        return tf.reduce_sum(rounds, axis=1) + self.offset

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        numbers = {"trees": self.trees, "depth": self.depth, "outputs": self.outputs}
        return {**super().get_config(), **numbers}
