"""Weights that are set to zero by magnitude beside nodes that are switched off.

Of each hidden layer a share of the weights between nodes that are on goes to zero; what nodes that
are off have is not counted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from l1distill.compression.node_budget import FEATURES, Schedule
from l1distill.compression.node_gates import Gate

_EVERY = 16
"""Steps between two choices of what is zero."""


class WeightMasks(keras.layers.Layer):  # type: ignore[misc]
    """Hands its input on, and holds which weights of a network may differ from zero."""

    def __init__(
        self, layers: Sequence[keras.layers.Layer], sparsity: float, schedule: Schedule
    ) -> None:
        """Make masks that let every weight be what it is.

        Args:
            layers: of a network with gates, one after the other; all but the last with a kernel
                are pruned.
            sparsity: share of the weights of each layer that is zero in the end.
            schedule: when they go; as nodes do.
        """
        super().__init__(name="weight_masks", trainable=False)
        self._layers, self._sparsity, self._schedule = list(layers), sparsity, schedule
        self.step = self.add_weight("step", (), tf.int32, initializer="zeros", trainable=False)
        pruned = [layer for layer in layers if hasattr(layer, "kernel")][:-1]
        self.masks: Mapping[str, Any] = {
            layer.name: self.add_weight(
                layer.name, layer.kernel.shape, initializer="ones", trainable=False
            )
            for layer in pruned
        }

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Hand on."""
        return tf.identity(inputs)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def advance(self) -> None:
        """Choose what is zero, now and then, and set it to zero; behind the gates, in a graph."""
        step, schedule = self.step.assign_add(1), self._schedule
        is_due = (step > schedule.begin) & (step <= schedule.end)
        is_due &= (step % _EVERY == 0) | (step == schedule.end)
        tf.cond(is_due, lambda: self._choose(step), lambda: tf.no_op())
        for layer in self._layers:
            if layer.name in self.masks:
                layer.kernel.assign(layer.kernel * self.masks[layer.name])

    def _choose(self, step: tf.Tensor) -> tf.Operation:
        begin, end = self._schedule.begin, self._schedule.end
        progress = tf.cast(step - begin, tf.float32) / (end - begin)
        share = self._sparsity * (1.0 - (1.0 - progress) ** 3)
        for name, on in self._between().items():
            kernel = next(layer for layer in self._layers if layer.name == name).kernel
            key = tf.where(on, tf.abs(kernel), -1.0)
            there = tf.cast(tf.math.count_nonzero(on), tf.float32)
            keep = tf.cast(tf.math.ceil((1.0 - share) * there), tf.int32)
            ordered = tf.sort(tf.reshape(key, [-1]), direction="DESCENDING")
            least = ordered[tf.maximum(keep, 1) - 1]
            self.masks[name].assign(tf.cast(~on | (key >= least), tf.float32))
        return tf.no_op()

    def _between(self) -> dict[str, tf.Tensor]:
        """Return which weights of each layer are between nodes that are on."""
        channels = int(self._layers[0].get_input_at(0).shape[-1])
        kept = tf.ones(channels, tf.bool)
        found = {}
        for layer in self._layers:
            if isinstance(layer, Gate):
                on = layer.pool.mask[layer.pool.place(layer.gated)] > 0.0
                if layer.gated == FEATURES:
                    kept = on
                continue
            if layer.name in self.masks:
                after = self._on(layer)
                between = kept[:, None] & after[None, :]
                found[layer.name] = tf.broadcast_to(between, layer.kernel.shape)
                kept = after
            elif type(layer).__name__ == "Flatten":
                size = int(np.prod(layer.get_input_at(0).shape[1:]))
                kept = tf.tile(kept, [size // int(kept.shape[0])])
            elif type(layer).__name__ == "Reshape":
                kept = tf.ones(int(layer.get_output_at(0).shape[-1]), tf.bool)
        return found

    def _on(self, layer: keras.layers.Layer) -> tf.Tensor:
        """Return which nodes of a layer are on; all where it has no gate."""
        for gate in self._layers:
            if isinstance(gate, Gate) and gate.gated == layer.name:
                on: tf.Tensor = gate.pool.mask[gate.pool.place(layer.name)] > 0.0
                return on
        return tf.ones(int(layer.kernel.shape[-1]), tf.bool)


def with_weight_masks(
    model: keras.Model, layers: Sequence[keras.layers.Layer], sparsity: float, schedule: Schedule
) -> tuple[keras.Model, Callable[[], None]]:
    """Return a network whose weights are set to zero while it is fitted, and what does it.

    Args:
        model: with gates.
        layers: of it, one after the other.
        sparsity: share of the weights of each hidden layer.
        schedule: of the training.
    """
    masks = WeightMasks(layers, sparsity, schedule)
    return keras.Model(model.input, masks(model.output), name=model.name), masks.advance
