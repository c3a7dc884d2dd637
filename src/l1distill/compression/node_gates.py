"""Gates on nodes and features while a network is trained, and what opens and closes them.

Everything that changes is a weight of a layer, so that a training's checkpoint holds it: a training
that was killed goes on to the same nodes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from l1distill.compression.node_budget import FEATURES, Budget, Schedule
from l1distill.compression.node_scores import Rule


class Pool(keras.layers.Layer):  # type: ignore[misc]
    """The gates of nodes that compete with one another, side by side, and their scores.

    Attributes:
        sizes: of each layer, how many nodes of it are here.
        norms: of each layer, what measures the weights of its nodes.
    """

    def __init__(
        self, name: str, budget: Budget, schedule: Schedule, rule: Rule, epochs: int, seed: int
    ) -> None:
        """Make gates that are all open.

        Args:
            name: of the layer.
            budget: how many stay on.
            schedule: when the others are switched off.
            rule: how scores arise.
            epochs: of the training, whose nodes are counted.
            seed: of scores and draws.
        """
        super().__init__(name=name, trainable=False)
        self.units, self.keep, self.seed = budget.total, budget.keep, seed % 2**31
        self.sizes: Mapping[str, int] = dict(budget.sizes)
        self.norms: dict[str, Callable[[], tf.Tensor]] = {}
        self._least = np.concatenate(
            [np.full(size, budget.least[layer]) for layer, size in budget.sizes.items()]
        )
        self._schedule, self._rule = schedule, rule
        self.step = self._weight("step", (), 0, tf.int32)
        # A tape watches it, so that gates on inputs have derivatives; the layer is not trainable.
        self.gate = self.add_weight("gate", (self.units,), initializer="ones", trainable=True)
        self.mask = self._weight("mask", (self.units,), 1.0)
        self.score = self._weight("score", (self.units,), 0.0)
        self.score.assign(rule.start(np.random.default_rng([seed, self.units]), self.units))
        self.gradient = self._weight("gradient", (self.units,), 0.0)
        self.square = self._weight("square", (self.units,), 0.0)
        self.first = self._weight("first_moment", (self.units,), 0.0)
        self.second = self._weight("second_moment", (self.units,), 0.0)
        self.multiplier = self._weight("multiplier", (), 0.0)
        self.counts = self._weight("counts", (epochs, len(self.sizes)), 0.0)

    def _weight(self, name: str, shape: tuple[int, ...], value: float, dtype: Any = None) -> Any:
        constant = keras.initializers.Constant(value)
        return self.add_weight(name, shape, dtype, initializer=constant, trainable=False)

    def place(self, layer: str) -> slice:
        """Return where the nodes of a layer are."""
        names = list(self.sizes)
        start = sum(self.sizes[name] for name in names[: names.index(layer)])
        return slice(start, start + self.sizes[layer])

    def record(self, layer: str, derivatives: tf.Tensor) -> None:
        """Keep the derivatives of a batch's mean loss by the gates, (batch, nodes) of a layer."""
        place = self.place(layer)
        items = tf.cast(tf.shape(derivatives)[0], tf.float32)
        self.gradient[place].assign(tf.reduce_sum(derivatives, 0))
        self.square[place].assign(items * tf.reduce_sum(derivatives**2, 0))

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def advance(self) -> None:
        """Move scores and gates after a step of the optimizer; in a graph."""
        step = self.step.assign_add(1)
        tf.cond(step <= self._schedule.end, lambda: self._move(step), lambda: tf.no_op())

    def _move(self, step: tf.Tensor) -> tf.Operation:
        begin, end = self._schedule.begin, self._schedule.end
        progress = tf.clip_by_value(tf.cast(step - begin, tf.float32) / (end - begin), 0.0, 1.0)
        self._rule.update(self, progress)
        more = (self.units - self.keep) * (1.0 - progress) ** 3
        keep = tf.cast(tf.math.ceil(self.keep + more), tf.int32)
        if not self._rule.gradual:
            keep = tf.where(step < end, self.units, self.keep)
        mask = self.mask.assign(self._largest(keep))
        soft = self._rule.gate(self, mask, progress)
        self.gate.assign(tf.where(step < end, soft, mask))
        return tf.no_op()

    def _largest(self, keep: tf.Tensor) -> tf.Tensor:
        """Return 1 for the nodes with the largest scores, at least some of each layer; else 0."""
        key = self.score
        if not self._rule.returns:
            key = tf.where(self.mask > 0.0, key, key.dtype.min)
        ranks = tf.concat([_ranks(part) for part in tf.split(key, list(self.sizes.values()))], 0)
        order = tf.argsort(key, direction="DESCENDING", stable=True)
        # those that their layer needs come first
        optional = tf.cast(tf.gather(ranks >= self._least, order), tf.int32)
        order = tf.gather(order, tf.argsort(optional, stable=True))
        chosen = tf.cast(tf.range(self.units) < keep, tf.float32)
        return tf.scatter_nd(order[:, None], chosen, (self.units,))

    def count(self, epoch: int) -> None:
        """Take note of how many nodes of each layer are on."""
        mask = self.mask.numpy()
        counts = self.counts.numpy()
        # an epoch that is not run any more has the nodes of the last
        counts[epoch:] = [mask[self.place(layer)].sum() for layer in self.sizes]
        self.counts.assign(counts)

    def is_on(self, layer: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which nodes of a layer are on."""
        on: np.ndarray[Any, np.dtype[np.bool_]] = self.mask.numpy()[self.place(layer)] > 0
        return on


def _ranks(values: tf.Tensor) -> tf.Tensor:
    """Return the place of each number among the others, the largest 0."""
    order = tf.argsort(values, direction="DESCENDING", stable=True)
    return tf.scatter_nd(order[:, None], tf.range(tf.size(values)), tf.shape(values))


class Gate(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies the nodes of a layer, or the channels of a convolution, by their gates.

    The derivatives by the gates of input features are those of gates on what a feature varies by
    within the batch.
    """

    def __init__(self, pool: Pool, layer: str) -> None:
        """Take the gates of a layer from a pool."""
        super().__init__(name=f"{layer}_gate")
        self.pool, self.gated = pool, layer
        # A feature that is never near zero is worth nothing for that alone: a bias takes its place.
        self._centered = layer == FEATURES

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiply, and have the derivatives kept when there are some."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def gated(x: tf.Tensor, gate: tf.Tensor) -> Any:
            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                inner = list(range(1, len(x.shape) - 1))
                varied = x - tf.reduce_mean(x, 0, keepdims=True) if self._centered else x
                self.pool.record(self.gated, tf.reduce_sum(upstream * varied, inner))
                return upstream * gate, tf.zeros_like(gate)

            return x * gate, gradient

        return gated(inputs, self.pool.gate[self.pool.place(self.gated)])
