"""The graph that trains a population: forward pass, gradient and Adam of all candidates at once.

Numbers lie as (candidates, items, nodes), in which XLA's products on a CPU are fastest; the first
layer is one product for all candidates, the others are batched. The numerics are those of QKeras
layers that Keras's Adam fits. A network that is narrower than its population is filled up with
nodes whose weights are zero; their gradients are zero, too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from l1distill.search.grids import Grid, Grids

if TYPE_CHECKING:
    import tensorflow as tf

Compare = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]
"""From what the teacher says (n, outputs) and the students (n, outputs) to losses (n,)."""

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Of Keras's ``Adam``."""


class Weights(NamedTuple):
    """Weights of a population, or what Adam remembers of each.

    Attributes:
        kernels: of each layer, (candidates, inputs, outputs).
        biases: of each layer, (candidates, 1, outputs).
    """

    kernels: tuple[Any, ...]
    biases: tuple[Any, ...]


class State(NamedTuple):
    """What a step changes.

    Attributes:
        weights: before rounding.
        momentum: running mean of gradients.
        velocity: running mean of their squares.
    """

    weights: Weights
    momentum: Weights
    velocity: Weights


class Items(NamedTuple):
    """What is learned.

    Attributes:
        features: (n, features) divided by the ranges of the inputs; on the grid already where all
            candidates share one.
        targets: (n, outputs).
        units: (features,) ranges of the inputs.
    """

    features: Any
    targets: Any
    units: Any


def rounded(x: "tf.Tensor", grid: Grid, rounds: bool) -> "tf.Tensor":
    """Round numbers to their types; gradients pass as if nothing had been done."""
    import tensorflow as tf

    if not rounds:
        return x

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def straight_through(x: "tf.Tensor") -> Any:
        codes = tf.minimum(tf.maximum(tf.round(x * grid.scale), grid.low), grid.high)
        return codes * grid.step, lambda gradient: gradient

    return straight_through(x)


def cut(x: "tf.Tensor", grid: Grid) -> "tf.Tensor":
    """Clip numbers to the range of their types without rounding, both ends included."""
    import tensorflow as tf

    return tf.clip_by_value(x, grid.low * grid.step, -grid.low * grid.step)


def relu(x: "tf.Tensor", grid: Grid, rounds: bool) -> "tf.Tensor":
    """Round activations; gradients pass between 0 and the largest number of the type."""
    import tensorflow as tf

    if not rounds:
        return tf.clip_by_value(x, 0.0, (grid.high + 1.0) * grid.step)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def straight_through(x: "tf.Tensor") -> Any:
        codes = tf.minimum(tf.maximum(tf.round(x * grid.scale), 0.0), grid.high)

        def backward(gradient: "tf.Tensor") -> "tf.Tensor":
            passes = tf.logical_and(x > 0.0, x <= grid.high * grid.step)
            return tf.where(passes, gradient, tf.zeros_like(gradient))

        return codes * grid.step, backward

    return straight_through(x)


def answers(
    weights: Weights, grids: Grids, x: "tf.Tensor", *, rounds: bool, units: "tf.Tensor | None"
) -> "tf.Tensor":
    """Return the outputs of all candidates, (candidates, items, outputs).

    Args:
        weights: of the population.
        grids: its types.
        x: (items, features); see :class:`Items`.
        rounds: whether anything is rounded.
        units: of the inputs, where each candidate has a type of its own for them; None where they
            are on their grid already.
    """
    import tensorflow as tf

    for layer, (kernel, bias) in enumerate(zip(*weights, strict=True)):
        kernel = rounded(kernel, grids.kernels[layer], rounds)
        if layer == 0 and units is None:
            sums = _shared_product(kernel, x)
        else:
            if layer == 0:
                own = rounded(x[None], grids.inputs, True) if rounds else cut(x[None], grids.inputs)
                x = own * units
            sums = tf.matmul(x, kernel)
        sums = sums + rounded(bias, grids.biases[layer], rounds)
        if layer < len(grids.activations):
            x = relu(sums, grids.activations[layer], rounds)
    return rounded(sums, grids.outputs, True) if rounds else cut(sums, grids.outputs)


def _shared_product(kernel: "tf.Tensor", x: "tf.Tensor") -> "tf.Tensor":
    """Multiply inputs (items, features) by the kernels of all candidates, as one matrix."""
    import tensorflow as tf

    candidates, features, nodes = kernel.shape
    flat = tf.reshape(tf.transpose(kernel, (1, 0, 2)), (features, candidates * nodes))
    sums = tf.reshape(tf.matmul(x, flat), (-1, candidates, nodes))
    return tf.transpose(sums, (1, 0, 2))


def losses(given: "tf.Tensor", targets: "tf.Tensor", compare: Compare) -> "tf.Tensor":
    """Return the loss of each item, (candidates, items).

    Args:
        given: (candidates, items, outputs).
        targets: (items, outputs).
        compare: the loss.
    """
    import tensorflow as tf

    candidates, items, outputs = given.shape
    flat = tf.reshape(given, (candidates * items, outputs))
    return tf.reshape(compare(tf.tile(targets, (candidates, 1)), flat), (candidates, items))
