"""The graph of a population: what all candidates answer, and how far they are from what is wanted.

Numbers lie as (candidates, items, nodes), in which XLA's products on a CPU are fastest. The
numerics are those of QKeras layers that Keras's Adam fits. A network that is narrower than its
population is filled up with nodes whose weights are zero; their gradients are zero, too. Shapes are
not known while a graph is traced: one graph of a depth then serves all widths.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.search.grids import Grid, Grids
from l1distill.search.layout import spans

if TYPE_CHECKING:
    import tensorflow as tf

Compare = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]
"""From what the teacher says (n, outputs) and the students (n, outputs) to losses (n,)."""


class State(NamedTuple):
    """What a step changes, (candidates, numbers) each; see :mod:`l1distill.search.layout`.

    Attributes:
        weights: before rounding.
        momentum: running mean of gradients.
        velocity: running mean of their squares.
    """

    weights: Any
    momentum: Any
    velocity: Any


class Weights(NamedTuple):
    """Weights of a population layer by layer, or what Adam remembers of each.

    Attributes:
        kernels: of each layer, (candidates, inputs, outputs).
        biases: of each layer, (candidates, 1, outputs).
    """

    kernels: tuple[Any, ...]
    biases: tuple[Any, ...]

    @classmethod
    def of(cls, flat: "tf.Tensor", widths: "Sequence[tf.Tensor]") -> "Weights":
        """Cut an array (candidates, numbers) by the widths of layers, inputs and outputs too."""
        import tensorflow as tf

        kernels, biases = [], []
        for (inputs, outputs), kernel, bias in spans(widths):
            kernels.append(tf.reshape(flat[:, kernel], (-1, inputs, outputs)))
            biases.append(flat[:, None, bias])
        return cls(tuple(kernels), tuple(biases))

    def flat(self) -> "tf.Tensor":
        """Return the array that :meth:`of` cuts."""
        import tensorflow as tf

        parts = itertools.chain.from_iterable(zip(*self, strict=True))
        return tf.concat([tf.reshape(part, (tf.shape(part)[0], -1)) for part in parts], axis=1)


class Group(NamedTuple):
    """Candidates beside their weights.

    Attributes:
        types: (candidates, types, 4); see :class:`l1distill.search.grids.Grids`.
        widths: (layers + 1,) nodes of each layer, from the inputs to the outputs.
        places: (candidates,) of those that take part, filled up; where several are computed at
            once, the places of such groups, (groups,).
        number: how many places count.
    """

    types: Any
    widths: Any
    places: Any
    number: Any


class Items(NamedTuple):
    """What is learned.

    Attributes:
        features: (n, features) divided by the ranges of the inputs.
        targets: (n, outputs).
        units: (features,) ranges of the inputs.
    """

    features: Any
    targets: Any
    units: Any


class Batches(NamedTuple):
    """Rows of items in batches of one size: the last is filled up with an item that counts nothing.

    Attributes:
        rows: (batches, batch) numbers of items.
        shares: (batches, batch) what the loss of each is multiplied by: 0 where it is filled up.
    """

    rows: Any
    shares: Any

    @classmethod
    def of(cls, order: NDArray[np.integer[Any]], size: int, *, mean: bool) -> "Batches":
        """Cut an order of items into batches; shares give the mean of each batch, or its sum."""
        number = math.ceil(len(order) / size)
        rows = np.zeros(number * size, np.int32)
        rows[: len(order)] = order
        shares = np.zeros((number, size), np.float32)
        shares.flat[: len(order)] = 1.0
        if mean:
            shares /= shares.sum(axis=1, keepdims=True)
        return cls(rows.reshape(number, size), shares)


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

    return tf.clip_by_value(x, -grid.limit, grid.limit)


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


def plus(sums: "tf.Tensor", bias: "tf.Tensor") -> "tf.Tensor":
    """Add biases (candidates, 1, nodes) to sums (candidates, items, nodes).

    The gradient of a bias is a product with ones: XLA adds up items on a CPU one by one.
    """
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def added(sums: "tf.Tensor", bias: "tf.Tensor") -> Any:
        def backward(gradient: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
            ones = tf.ones_like(gradient[:, :, :4])
            return gradient, tf.matmul(ones, gradient, transpose_a=True)[:, :1]

        return sums + bias, backward

    return added(sums, bias)


def answers(
    weights: Weights, grids: Grids, x: "tf.Tensor", units: "tf.Tensor", *, rounds: bool
) -> "tf.Tensor":
    """Return the outputs of all candidates, (candidates, items, outputs).

    Args:
        weights: of the population.
        grids: its types.
        x: (items, features) divided by the ranges of the inputs.
        units: (features,) these ranges.
        rounds: whether anything is rounded.
    """
    import tensorflow as tf

    own = rounded(x[None], grids.inputs, True) if rounds else cut(x[None], grids.inputs)
    numbers = own * units
    for layer, (kernel, bias) in enumerate(zip(*weights, strict=True)):
        product = tf.matmul(numbers, rounded(kernel, grids.kernels[layer], rounds))
        sums = plus(product, rounded(bias, grids.biases[layer], rounds))
        if layer < len(grids.activations):
            numbers = relu(sums, grids.activations[layer], rounds)
    return rounded(sums, grids.outputs, True) if rounds else cut(sums, grids.outputs)


def losses(given: "tf.Tensor", targets: "tf.Tensor", compare: Compare) -> "tf.Tensor":
    """Return the loss of each item, (candidates, items).

    Args:
        given: (candidates, items, outputs), filled up or not.
        targets: (items, outputs).
        compare: the loss.
    """
    import tensorflow as tf

    candidates, items, outputs = tf.shape(given)[0], tf.shape(targets)[0], tf.shape(targets)[1]
    flat = tf.reshape(given[:, :, :outputs], (candidates * items, outputs))
    return tf.reshape(compare(tf.tile(targets, (candidates, 1)), flat), (candidates, items))
