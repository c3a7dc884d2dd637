"""The compiled loops over batches: steps of Adam, losses of held-out items, answers."""

import atexit
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from l1distill.distillation.settings import Distance, DistillationSettings
from l1distill.distillation.transfer import RESPONSE, Transfer, weighted
from l1distill.search.buckets import POPULATION
from l1distill.search.compiled import CUBE, INTEGER, INTEGERS, MATRIX, ROWS, VECTOR, compiled
from l1distill.search.graph import (
    Batches,
    Compare,
    Group,
    Items,
    State,
    Weights,
    answers,
    losses,
)
from l1distill.search.grids import Grids

if TYPE_CHECKING:
    import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""Of Keras's ``Adam``."""

_STATE = State(MATRIX, MATRIX, MATRIX)
_GROUP = Group(types=CUBE, widths=INTEGERS, places=INTEGERS, number=INTEGER)
_ITEMS = Items(features=MATRIX, targets=MATRIX, units=VECTOR)
_BATCHES = Batches(rows=ROWS, shares=MATRIX)


@dataclass(frozen=True)
class Program:
    """The graphs of populations of a depth; XLA compiles them for all widths.

    Attributes:
        run: from state, masks (candidates, numbers), learning rates (candidates,), weights of the
            distances (candidates, distances), group, items, batches, the first step and the one
            behind the last, and the steps done before, to the new state and the sum of each
            candidate's losses.
        evaluate: from weights (candidates, numbers), group, items and batches to the sum of each
            candidate's losses.
        predict: from weights, group, items and batches to answers (batches, candidates, batch,
            outputs).
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


def at_once() -> int:
    """Return how many candidates this machine computes at once.

    On a CPU one: what it needs stays in the cache, and XLA's products of single matrices are faster
    than those of stacks. On a GPU all of a population.
    """
    import tensorflow as tf

    return POPULATION if tf.config.list_physical_devices("GPU") else 1


@cache
def program(
    distillation: DistillationSettings,
    layers: int,
    *,
    rounds: bool,
    knowledge: tuple[Distance, ...] = (),
    together: int = 1,
) -> Program:
    """Return the graphs for a loss.

    Args:
        distillation: the loss; only what the teacher answers is learned.
        layers: of a network, that of the outputs among them.
        rounds: whether numbers are rounded.
        knowledge: distances of which each candidate learns with its own; empty: that of the loss.
        together: candidates that are computed at once; a population is a multiple of them. Places
            are then those of as many.
    """
    import tensorflow as tf

    compare = response_loss(distillation)
    own = [
        response_loss(distillation.model_copy(update={"loss": distance})) for distance in knowledge
    ]

    given = partial(answers, rounds=rounds)

    def learned(said: "tf.Tensor", targets: "tf.Tensor", mix: "tf.Tensor") -> "tf.Tensor":
        if not own:
            return losses(said, targets, compare)
        terms = [
            mix[:, place : place + 1] * losses(said, targets, distance)
            for place, distance in enumerate(own)
        ]
        return tf.add_n(terms)

    def divided(part: "tf.Tensor") -> "tf.TensorArray":
        """Divide what candidates have into the parts of those that are computed at once."""
        shape = tf.TensorShape([None] * len(part.shape))
        number = tf.shape(part)[0] // together
        parts = tf.reshape(part, tf.concat([(number, together), tf.shape(part)[1:]], 0))
        array = tf.TensorArray(tf.float32, number, element_shape=shape, clear_after_read=False)
        return array.unstack(parts)

    def joined(parts: "tf.TensorArray") -> "tf.Tensor":
        whole = parts.stack()
        return tf.reshape(whole, tf.concat([(-1,), tf.shape(whole)[2:]], 0))

    def visit(
        function: Callable[..., Any],
        memory: Any,
        group: Group,
        items: Items,
        batches: Batches,
        steps: "tuple[tf.Tensor, tf.Tensor]",
    ) -> Any:
        """Show each batch to all candidates, one after the other: it stays in the cache."""
        first, last = steps

        def batch(step: "tf.Tensor", memory: Any) -> Any:
            rows = batches.rows[step]
            x, y = tf.gather(items.features, rows), tf.gather(items.targets, rows)

            def candidate(turn: "tf.Tensor", memory: Any) -> Any:
                return turn + 1, function(group.places[turn], step, x, y, memory)

            start = (tf.constant(0), memory)
            _, memory = tf.while_loop(lambda turn, _: turn < group.number, candidate, start)
            return step + 1, memory

        return tf.while_loop(lambda step, _: step < last, batch, (first, memory))[1]

    @compiled(_STATE, MATRIX, VECTOR, MATRIX, _GROUP, _ITEMS, _BATCHES, INTEGER, INTEGER, INTEGER)
    def run(
        state: State,
        masks: "tf.Tensor",
        rates: "tf.Tensor",
        mix: "tf.Tensor",
        group: Group,
        items: Items,
        batches: Batches,
        first: "tf.Tensor",
        last: "tf.Tensor",
        done: "tf.Tensor",
    ) -> Any:
        nodes = tf.unstack(group.widths, layers + 1)
        counts = tf.reduce_sum(tf.cast(batches.shares > 0.0, tf.float32), axis=1)
        limits = limits_of(Grids.unpacked(group.types, layers), nodes)
        fixed = [divided(part) for part in (masks, group.types, rates, mix, limits)]

        def step(
            place: "tf.Tensor", number: "tf.Tensor", x: "tf.Tensor", y: "tf.Tensor", memory: Any
        ) -> Any:
            mask, types, rate, mixed, limit = (part.read(place) for part in fixed)
            weights, momentum, velocity, total = (part.read(place) for part in memory)
            masked, grids = weights * mask, Grids.unpacked(types, layers)
            cut = Weights.of(masked, nodes)
            parts = [*cut.kernels, *cut.biases]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(parts)
                each = learned(given(cut, grids, x, items.units), y, mixed)
                means = tf.linalg.matvec(each, batches.shares[number])
                loss = tf.reduce_sum(means)
            slopes = tape.gradient(loss, parts)
            gradient = Weights(tuple(slopes[:layers]), tuple(slopes[layers:])).flat()
            before = State(masked, momentum, velocity)
            behind = adam(before, gradient, limit, rate[:, None], done + number - first + 1)
            values = (*behind, total + means * counts[number])
            pairs = zip(memory, values, strict=True)
            return tuple(part.write(place, value) for part, value in pairs)

        memory = tuple(divided(part) for part in (*state, tf.zeros_like(rates)))
        memory = visit(step, memory, group, items, batches, (first, last))
        weights, momentum, velocity, total = (joined(part) for part in memory)
        return State(weights, momentum, velocity), total

    @compiled(MATRIX, _GROUP, _ITEMS, _BATCHES)
    def evaluate(weights: "tf.Tensor", group: Group, items: Items, batches: Batches) -> "tf.Tensor":
        nodes = tf.unstack(group.widths, layers + 1)
        fixed = [divided(part) for part in (weights, group.types)]

        def judge(
            place: "tf.Tensor", number: "tf.Tensor", x: "tf.Tensor", y: "tf.Tensor", total: Any
        ) -> Any:
            own, types = (part.read(place) for part in fixed)
            said = given(Weights.of(own, nodes), Grids.unpacked(types, layers), x, items.units)
            summed = tf.linalg.matvec(losses(said, y, compare), batches.shares[number])
            return total.write(place, total.read(place) + summed)

        total = divided(tf.zeros_like(weights[:, 0]))
        ends = tf.constant(0), tf.shape(batches.rows)[0]
        return joined(visit(judge, total, group, items, batches, ends))

    @compiled(MATRIX, _GROUP, _ITEMS, _BATCHES)
    def predict(weights: "tf.Tensor", group: Group, items: Items, batches: Batches) -> "tf.Tensor":
        nodes = tf.unstack(group.widths, layers + 1)
        cut, grids = Weights.of(weights, nodes), Grids.unpacked(group.types, layers)
        return tf.map_fn(
            lambda rows: given(cut, grids, tf.gather(items.features, rows), items.units),
            batches.rows,
            fn_output_signature=tf.float32,
        )

    return Program(run, evaluate, predict)


# TensorFlow complains of functions that live as long as the interpreter
atexit.register(program.cache_clear)


def limits_of(grids: Grids, widths: "Sequence[tf.Tensor]") -> "tf.Tensor":
    """Return the largest magnitude of each weight, (candidates, numbers)."""
    import tensorflow as tf

    kernels, biases = [], []
    pairs = zip(grids.kernels, grids.biases, itertools.pairwise(widths), strict=True)
    for kernel, bias, (inputs, outputs) in pairs:
        kernels.append(tf.tile(kernel.limit, (1, inputs, outputs)))
        biases.append(tf.tile(bias.limit, (1, 1, outputs)))
    return Weights(tuple(kernels), tuple(biases)).flat()


def adam(
    state: State, gradient: "tf.Tensor", limits: "tf.Tensor", rates: "tf.Tensor", step: "tf.Tensor"
) -> State:
    """Take a step of Keras's Adam, each candidate at its own rate, and clip weights as QKeras does.

    Args:
        state: before it; its weights are those that the gradient was computed at.
        gradient: of the loss, (candidates, numbers).
        limits: largest magnitudes of weights, (candidates, numbers).
        rates: (candidates, 1) learning rates.
        step: number of the step, from 1.
    """
    import tensorflow as tf

    number = tf.cast(step, tf.float32)
    beta_1, beta_2 = tf.constant(BETA_1), tf.constant(BETA_2)
    rate = rates * tf.sqrt(1.0 - tf.pow(beta_2, number)) / (1.0 - tf.pow(beta_1, number))
    weights, momentum, velocity = state
    momentum = momentum + (gradient - momentum) * (1.0 - BETA_1)
    velocity = velocity + (tf.square(gradient) - velocity) * (1.0 - BETA_2)
    weights = weights - (momentum * rate) / (tf.sqrt(velocity) + EPSILON)
    return State(tf.clip_by_value(weights, -limits, limits), momentum, velocity)
