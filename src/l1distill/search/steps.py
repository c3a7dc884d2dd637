"""The compiled loops over batches: steps of Adam, losses of held-out items, answers."""

import atexit
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from l1distill.distillation.settings import Distance, DistillationSettings
from l1distill.distillation.transfer import RESPONSE, Transfer, weighted
from l1distill.search.buckets import POPULATION
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
    """The graphs of populations of a depth; XLA compiles them for every shape of their arguments.

    Batches are rows (batches, batch), which are numbers of items, and shares (batches, batch), what
    the loss of each is multiplied by: 0 where a batch is filled up.

    Attributes:
        run: from state, masks (candidates, numbers), types, learning rates (candidates,), weights
            of the distances (candidates, distances), widths, the places of those that are to be
            trained and their number, items, rows, shares, the first step and the one behind the
            last, and the steps done before, to the new state and the sum of each candidate's
            losses.
        evaluate: from weights (candidates, numbers), types, widths, places, their number, items,
            rows and shares to the sum of each candidate's losses.
        predict: from weights, types, widths, items and rows to answers (batches, candidates, batch,
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

    def given(weights: Weights, grids: Grids, units: "tf.Tensor", x: "tf.Tensor") -> "tf.Tensor":
        return answers(weights, grids, x, units, rounds=rounds)

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
        places: "tf.Tensor",
        number: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
        first: "tf.Tensor",
        last: "tf.Tensor",
    ) -> Any:
        """Show each batch to all candidates, one after the other: it stays in the cache."""

        def batch(step: "tf.Tensor", memory: Any) -> Any:
            x, y = tf.gather(items.features, rows[step]), tf.gather(items.targets, rows[step])

            def candidate(turn: "tf.Tensor", memory: Any) -> Any:
                return turn + 1, function(places[turn], step, x, y, memory)

            start = (tf.constant(0), memory)
            _, memory = tf.while_loop(lambda turn, _: turn < number, candidate, start)
            return step + 1, memory

        return tf.while_loop(lambda step, _: step < last, batch, (first, memory))[1]

    @_compiled(_STATE, _MATRIX, _TYPES, _VECTOR, _MATRIX, *_FOR_ALL, _INTEGER, _INTEGER, _INTEGER)
    def run(
        state: State,
        masks: "tf.Tensor",
        types: "tf.Tensor",
        rates: "tf.Tensor",
        mix: "tf.Tensor",
        widths: "tf.Tensor",
        places: "tf.Tensor",
        number: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
        shares: "tf.Tensor",
        first: "tf.Tensor",
        last: "tf.Tensor",
        done: "tf.Tensor",
    ) -> Any:
        nodes = tf.unstack(widths, layers + 1)
        counts = tf.reduce_sum(tf.cast(shares > 0.0, tf.float32), axis=1)
        limits = limits_of(Grids.unpacked(types, layers), nodes)
        fixed = [divided(part) for part in (masks, types, rates, mix, limits)]

        def step(
            place: "tf.Tensor", number: "tf.Tensor", x: "tf.Tensor", y: "tf.Tensor", memory: Any
        ) -> Any:
            mask, kinds, rate, mixed, limit = (part.read(place) for part in fixed)
            weights, momentum, velocity, total = (part.read(place) for part in memory)
            weights, grids = weights * mask, Grids.unpacked(kinds, layers)
            cut = Weights.of(weights, nodes)
            flat = [*cut.kernels, *cut.biases]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(flat)
                each = learned(given(cut, grids, items.units, x), y, mixed)
                means = tf.linalg.matvec(each, shares[number])
                loss = tf.reduce_sum(means)
            slopes = tape.gradient(loss, flat)
            gradient = Weights(tuple(slopes[:layers]), tuple(slopes[layers:])).flat()
            moved = adam(
                State(weights, momentum, velocity),
                gradient,
                limit,
                rate[:, None],
                done + number - first + 1,
            )
            behind = (*moved, total + means * counts[number])
            return tuple(
                part.write(place, value) for part, value in zip(memory, behind, strict=True)
            )

        memory = tuple(divided(part) for part in (*state, tf.zeros_like(rates)))
        memory = visit(step, memory, places, number, items, rows, first, last)
        weights, momentum, velocity, total = (joined(part) for part in memory)
        return State(weights, momentum, velocity), total

    @_compiled(_MATRIX, _TYPES, *_FOR_ALL)
    def evaluate(
        weights: "tf.Tensor",
        types: "tf.Tensor",
        widths: "tf.Tensor",
        places: "tf.Tensor",
        number: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
        shares: "tf.Tensor",
    ) -> "tf.Tensor":
        nodes = tf.unstack(widths, layers + 1)
        fixed = [divided(part) for part in (weights, types)]

        def judge(
            place: "tf.Tensor", number: "tf.Tensor", x: "tf.Tensor", y: "tf.Tensor", total: Any
        ) -> Any:
            flat, kinds = (part.read(place) for part in fixed)
            said = given(Weights.of(flat, nodes), Grids.unpacked(kinds, layers), items.units, x)
            summed = tf.linalg.matvec(losses(said, y, compare), shares[number])
            return total.write(place, total.read(place) + summed)

        total = divided(tf.zeros_like(weights[:, 0]))
        ends = tf.constant(0), tf.shape(rows)[0]
        return joined(visit(judge, total, places, number, items, rows, *ends))

    @_compiled(_MATRIX, _TYPES, _INTEGERS, _ITEMS, _ROWS)
    def predict(
        weights: "tf.Tensor",
        types: "tf.Tensor",
        widths: "tf.Tensor",
        items: Items,
        rows: "tf.Tensor",
    ) -> "tf.Tensor":
        nodes = tf.unstack(widths, layers + 1)
        cut, grids = Weights.of(weights, nodes), Grids.unpacked(types, layers)
        return tf.map_fn(
            lambda some: given(cut, grids, items.units, tf.gather(items.features, some)),
            rows,
            fn_output_signature=tf.float32,
        )

    return Program(run, evaluate, predict)


# TensorFlow complains of functions that live as long as the interpreter
atexit.register(program.cache_clear)

_Kind = tuple[int, str]
_VECTOR, _MATRIX, _TYPES = (1, "float32"), (2, "float32"), (3, "float32")
_INTEGER, _INTEGERS, _ROWS = (0, "int32"), (1, "int32"), (2, "int32")
_STATE = State(_MATRIX, _MATRIX, _MATRIX)
_ITEMS = Items(features=_MATRIX, targets=_MATRIX, units=_VECTOR)
_FOR_ALL = (_INTEGERS, _INTEGERS, _INTEGER, _ITEMS, _ROWS, _MATRIX)


def _compiled(*kinds: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function with XLA; it is traced once, for arguments of any shape.

    Args:
        kinds: of each argument its number of dimensions and the type of its numbers.
    """
    import tensorflow as tf

    def spec(kind: Any) -> Any:
        if isinstance(kind[0], int):
            return tf.TensorSpec([None] * kind[0], kind[1])
        return type(kind)(*map(spec, kind))

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = [spec(kind) for kind in kinds]
        whole = tf.function(function, jit_compile=True, autograph=False, input_signature=signature)
        # called directly: to look for the right trace takes longer than short epochs
        traced = cache(whole.get_concrete_function)
        return lambda *arguments: traced()(*tf.nest.map_structure(tf.constant, arguments))

    return compiled


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
