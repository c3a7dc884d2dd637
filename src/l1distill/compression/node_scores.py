"""How scores of nodes arise: what a node's gate is while it is trained, and what moves its score.

A gate multiplies what a node answers. The derivative of the loss by it says how the loss would
change without the node; each rule makes a score of it, or of something else, and the nodes with the
largest scores stay on.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf

_RATE = 0.01
"""Learning rate of Adam on scores; 0.003 to 0.03 do alike."""
_SPREAD = 0.01
"""Standard deviation of scores before the first step."""


class Rule(Protocol):
    """How the score of each node arises."""

    gradual: bool
    """Whether nodes are switched off one after the other; else at once, at the end."""
    returns: bool
    """Whether a node that is off may come back."""

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        """Return the scores before the first step, (units,)."""

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Move the scores of a :class:`.node_gates.Pool` after a step."""

    def gate(self, pool: Any, mask: "tf.Tensor", progress: "tf.Tensor") -> "tf.Tensor":
        """Return what nodes are multiplied by in the next step, (units,), before the end."""


class _Masked:
    """Gates that are 0 or 1."""

    gradual = True
    returns = False

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        return np.zeros(units)

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Leave the scores."""

    def gate(self, pool: Any, mask: "tf.Tensor", progress: "tf.Tensor") -> "tf.Tensor":
        return mask


class StraightThrough(_Masked):
    """Scores are parameters, trained with the network: ``g = m + s - stop(s)``.

    What is off is moved as well, by the derivative that it would have, and may come back (Bengio et
    al., arXiv:1308.3432).
    """

    returns = True

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        """Draw small numbers."""
        return rng.normal(0.0, _SPREAD, units)

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Take a step of Adam."""
        _adam(pool, pool.gradient)


class Fisher(_Masked):
    """Moving mean of the squared derivative of an item's loss: the Fisher information of the gate.

    ``s <- 0.98 s + 0.02 B sum (dL/dg)^2`` over the B items of a batch, whose mean loss is L
    (Theis et al., arXiv:1801.05787; Molchanov et al., arXiv:1906.10771).
    """

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Average."""
        pool.score.assign(0.98 * pool.score + 0.02 * pool.square)


class Sigmoid(_Masked):
    """Gates ``sigmoid(a s)``, a growing, drawn towards the budget (Luo and Wu, arXiv:1805.08941).

    The penalty is ``l (mean g - K/N)^2`` with ``l = w |mean g - K/N|``, equation 5 there; what
    stays on in the end are the K largest scores, as the gates alone would miss the budget. They
    have w = 100; 1 does better on the validation split of jets (19 of 192 nodes, of 1, 10 and 100).
    """

    gradual = False
    _LAST, _WEIGHT = 20.0, 1.0

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        """Draw small numbers: every gate is half open."""
        return rng.normal(0.0, _SPREAD, units)

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Take a step of Adam on loss and penalty."""
        import tensorflow as tf

        steepness = self._steepness(progress)
        gates = tf.sigmoid(steepness * pool.score)
        off = tf.reduce_mean(gates) - pool.keep / pool.units
        penalty = self._WEIGHT * tf.abs(off) * 2.0 * off / pool.units
        _adam(pool, (pool.gradient + penalty) * steepness * gates * (1.0 - gates))

    def gate(self, pool: Any, mask: "tf.Tensor", progress: "tf.Tensor") -> "tf.Tensor":
        """Return soft gates."""
        import tensorflow as tf

        return tf.sigmoid(self._steepness(progress) * pool.score)

    def _steepness(self, progress: "tf.Tensor") -> "tf.Tensor":
        return 1.0 + (self._LAST - 1.0) * progress


class HardConcrete(_Masked):
    """Gates drawn from the hard concrete distribution (Louizos et al., arXiv:1712.01312).

    Equations 10 to 12 there; the weight of the expected number of gates that are open is a
    multiplier that rises as long as they are more than the budget. Its rate, and that of the
    scores, are the best of six pairs on the validation split of jets (19 of 192 nodes).
    """

    gradual = False
    _BETA, _LOW, _HIGH = 2.0 / 3.0, -0.1, 1.1
    _MULTIPLIER_RATE, _SCORE_RATE = 0.03, 0.03

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        """Begin with gates that are open in nearly all draws."""
        return rng.normal(2.0, _SPREAD, units)

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Take a step of Adam on loss and penalty, and one up of the multiplier."""
        import tensorflow as tf

        shift = self._BETA * math.log(-self._LOW / self._HIGH)
        opened = tf.sigmoid(pool.score - shift)
        # the noise of the step that has been taken
        concrete = self._concrete(pool, pool.step - 1)
        stretched = concrete * (self._HIGH - self._LOW) + self._LOW
        inside = tf.cast((stretched > 0.0) & (stretched < 1.0), tf.float32)
        slope = inside * (self._HIGH - self._LOW) * concrete * (1.0 - concrete) / self._BETA
        penalty = pool.multiplier * opened * (1.0 - opened) / pool.units
        _adam(pool, pool.gradient * slope + penalty, self._SCORE_RATE)
        off = tf.reduce_mean(opened) - pool.keep / pool.units
        pool.multiplier.assign(tf.maximum(pool.multiplier + self._MULTIPLIER_RATE * off, 0.0))

    def gate(self, pool: Any, mask: "tf.Tensor", progress: "tf.Tensor") -> "tf.Tensor":
        """Draw gates."""
        import tensorflow as tf

        stretched = self._concrete(pool, pool.step) * (self._HIGH - self._LOW) + self._LOW
        return tf.clip_by_value(stretched, 0.0, 1.0)

    def _concrete(self, pool: Any, step: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        seed = tf.stack([tf.constant(pool.seed, tf.int32), tf.cast(step, tf.int32)])
        noise = tf.random.stateless_uniform((pool.units,), seed, 1e-6, 1.0 - 1e-6)
        logit = tf.math.log(noise) - tf.math.log(1.0 - noise)
        return tf.sigmoid((logit + pool.score) / self._BETA)


class Magnitude(_Masked):
    """The norm of a node's weights over the mean of its layer: train, cut, fine-tune.

    Norms of different layers are on different scales, so that they are never compared as they are
    (Li et al., arXiv:1608.08710, layer by layer).
    """

    gradual = False

    def update(self, pool: Any, progress: "tf.Tensor") -> None:
        """Measure the weights as they are now."""
        import tensorflow as tf

        norms = []
        for name in pool.sizes:
            norm = pool.norms[name]()
            norms.append(norm / tf.maximum(tf.reduce_mean(norm), 1e-12))
        pool.score.assign(tf.concat(norms, 0))


class Random(_Masked):
    """Scores that are drawn once: train, cut, fine-tune."""

    gradual = False

    def start(self, rng: np.random.Generator, units: int) -> NDArray[np.float64]:
        """Draw them."""
        return rng.random(units)


class Permutation(_Masked):
    """How much the validation loss rises where a feature is shuffled: train, cut, fine-tune.

    :class:`.node_pruning.GatedNetwork` measures it after the last epoch before the cut.
    """

    gradual = False


RULES: Mapping[str, Callable[[], Rule]] = {
    "straight_through": StraightThrough,
    "fisher": Fisher,
    "sigmoid": Sigmoid,
    "hard_concrete": HardConcrete,
    "magnitude": Magnitude,
    "random": Random,
    "permutation": Permutation,
}


@dataclass(frozen=True)
class _Adam:
    """Constants of Adam (Kingma and Ba, arXiv:1412.6980)."""

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-7


def _adam(pool: Any, gradient: "tf.Tensor", learning_rate: float = _RATE) -> None:
    import tensorflow as tf

    adam = _Adam()
    steps = tf.cast(pool.step, tf.float32)
    first = pool.first.assign(adam.first * pool.first + (1 - adam.first) * gradient)
    second = pool.second.assign(adam.second * pool.second + (1 - adam.second) * gradient**2)
    rate = learning_rate * tf.sqrt(1 - adam.second**steps) / (1 - adam.first**steps)
    pool.score.assign_sub(rate * first / (tf.sqrt(second) + adam.epsilon))
