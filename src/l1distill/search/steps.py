"""The compiled loops over batches: steps of Adam, losses of held-out items, answers."""

import atexit
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from l1distill.distillation.settings import Distance, DistillationSettings
from l1distill.distillation.transfer import RESPONSE, Transfer, weighted
from l1distill.search.graph import (
    BETA_1,
    BETA_2,
    EPSILON,
    Compare,
    Items,
    State,
    Weights,
    answers,
    losses,
)
from l1distill.search.grids import Grids

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Program:
    """The graphs of populations; each is compiled once for every shape of its arguments.

    Attributes:
        run: from state, masks, grids, learning rates (candidates, 1, 1), weights of the distances
            (candidates, distances), items, rows (steps, batch), shares (steps, batch), the first
            step and the one behind the last, and the steps done before, to the new state and the
            sum of each candidate's losses. A row is the number of an item, its share what its loss
            is multiplied by: 0 where a batch is filled up.
        evaluate: from weights, grids, items, rows and shares to the sum of each candidate's losses.
        predict: from weights, grids, items and rows to answers (steps, candidates, batch, outputs).
    """

    run: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]


def response_loss(settings: DistillationSettings) -> Compare:
    """Return the loss of an answer against the teacher's, with its weights."""
    transfer = Transfer(settings, 0, {})

    def loss(teacher: "tf.Tensor", student: "tf.Tensor") -> "tf.Tensor":
        return weighted(settings.gamma, transfer(student, None, {RESPONSE: teacher}))

    return loss


@cache
def program(
    distillation: DistillationSettings,
    *,
    rounds: bool,
    own_inputs: bool,
    pruned: bool,
    knowledge: tuple[Distance, ...] = (),
) -> Program:
    """Return the graphs for a loss.

    Args:
        distillation: the loss; only what the teacher answers is learned.
        rounds: whether numbers are rounded.
        own_inputs: whether each candidate has its own type of inputs.
        pruned: whether weights are multiplied by masks before each step; behind the last of an
            epoch the caller does it.
        knowledge: distances of which each candidate learns with its own; empty: that of the loss.
    """
    import tensorflow as tf

    compare = response_loss(distillation)
    own = [
        response_loss(distillation.model_copy(update={"loss": distance})) for distance in knowledge
    ]

    def batch(items: Items, rows: "tf.Tensor") -> "tf.Tensor":
        return tf.gather(items.features, rows)

    def given(weights: Weights, grids: Grids, items: Items, rows: "tf.Tensor") -> "tf.Tensor":
        units = items.units if own_inputs else None
        return answers(weights, grids, batch(items, rows), rounds=rounds, units=units)

    def summed(
        weights: Weights, grids: Grids, items: Items, rows: "tf.Tensor", shares: "tf.Tensor"
    ) -> "tf.Tensor":
        each = losses(given(weights, grids, items, rows), tf.gather(items.targets, rows), compare)
        return tf.linalg.matvec(each, shares)

    def learned(
        weights: Weights,
        grids: Grids,
        mix: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
        shares: "tf.Tensor",
    ) -> "tf.Tensor":
        if not own:
            return summed(weights, grids, items, rows, shares)
        said, targets = given(weights, grids, items, rows), tf.gather(items.targets, rows)
        terms = [
            mix[:, place : place + 1] * losses(said, targets, distance)
            for place, distance in enumerate(own)
        ]
        return tf.linalg.matvec(tf.add_n(terms), shares)

    def masked(weights: Weights, masks: tuple[Any, ...]) -> Weights:
        if not pruned:
            return weights
        kernels = (kernel * mask for kernel, mask in zip(weights.kernels, masks, strict=True))
        return Weights(tuple(kernels), weights.biases)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def run(
        state: State,
        masks: tuple[Any, ...],
        grids: Grids,
        rates: "tf.Tensor",
        mix: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
        shares: "tf.Tensor",
        first: "tf.Tensor",
        last: "tf.Tensor",
        done: "tf.Tensor",
    ) -> Any:
        candidates = state.weights.kernels[0].shape[0]

        def step(number: "tf.Tensor", state: State, total: "tf.Tensor") -> Any:
            weights = masked(state.weights, masks)
            flat = [*weights.kernels, *weights.biases]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(flat)
                each = learned(weights, grids, mix, items, rows[number], shares[number])
                loss = tf.reduce_sum(each)
            gradients = tape.gradient(loss, flat)
            layers = len(weights.kernels)
            gradient = Weights(tuple(gradients[:layers]), tuple(gradients[layers:]))
            state = adam(
                State(weights, state.momentum, state.velocity),
                gradient,
                grids,
                rates,
                done + number - first + 1,
            )
            count = tf.reduce_sum(tf.cast(shares[number] > 0.0, tf.float32))
            return number + 1, state, total + each * count

        start = (first, state, tf.zeros(candidates))
        _, state, total = tf.while_loop(lambda number, *_: number < last, step, start)
        return state, total

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def evaluate(
        weights: Weights, grids: Grids, items: Items, rows: "tf.Tensor", shares: "tf.Tensor"
    ) -> "tf.Tensor":
        candidates = weights.kernels[0].shape[0]

        def add(number: "tf.Tensor", total: "tf.Tensor") -> Any:
            return number + 1, total + summed(weights, grids, items, rows[number], shares[number])

        start = (tf.constant(0), tf.zeros(candidates))
        return tf.while_loop(lambda number, _: number < rows.shape[0], add, start)[1]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def predict(weights: Weights, grids: Grids, items: Items, rows: "tf.Tensor") -> "tf.Tensor":
        return tf.map_fn(
            lambda some: given(weights, grids, items, some), rows, fn_output_signature=tf.float32
        )

    return Program(run, evaluate, predict)


# TensorFlow complains of functions that live as long as the interpreter
atexit.register(program.cache_clear)


def adam(
    state: State, gradient: Weights, grids: Grids, rates: "tf.Tensor", step: "tf.Tensor"
) -> State:
    """Take a step of Keras's Adam, each candidate at its own rate, and clip weights as QKeras does.

    Args:
        state: before it; its weights are those that the gradient was computed at.
        gradient: of the loss.
        grids: with the limits of the weights.
        rates: (candidates, 1, 1) learning rates.
        step: number of the step, from 1.
    """
    import tensorflow as tf

    number = tf.cast(step, tf.float32)
    beta_1, beta_2 = tf.constant(BETA_1), tf.constant(BETA_2)
    rate = rates * tf.sqrt(1.0 - tf.pow(beta_2, number)) / (1.0 - tf.pow(beta_1, number))

    def moved(
        values: tuple[Any, ...],
        means: tuple[Any, ...],
        squares: tuple[Any, ...],
        gradients: tuple[Any, ...],
        limits: tuple[Any, ...],
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        rows = []
        for value, mean, square, slope, limit in zip(
            values, means, squares, gradients, limits, strict=True
        ):
            mean = mean + (slope - mean) * (1.0 - BETA_1)
            square = square + (tf.square(slope) - square) * (1.0 - BETA_2)
            value = value - (mean * rate) / (tf.sqrt(square) + EPSILON)
            rows.append((tf.clip_by_value(value, -limit, limit), mean, square))
        new_values, new_means, new_squares = zip(*rows, strict=True)
        return new_values, new_means, new_squares

    weights, momentum, velocity = state
    kernels = moved(
        weights.kernels, momentum.kernels, velocity.kernels, gradient.kernels, grids.kernel_limits
    )
    biases = moved(
        weights.biases, momentum.biases, velocity.biases, gradient.biases, grids.bias_limits
    )
    return State(*(Weights(*pair) for pair in zip(kernels, biases, strict=True)))
