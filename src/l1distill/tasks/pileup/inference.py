"""What networks of pileup cost: operations and CPU time of an event."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.weights import Weights

if TYPE_CHECKING:
    from tensorflow import keras

_REPEATS = 3


def operations(model: "keras.Model") -> float:
    """Count the floating-point operations of a forward pass over one item of fixed shape."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2_as_graph,
    )

    inputs = [tf.TensorSpec([1, *one.shape[1:]], one.dtype) for one in model.inputs]
    function = tf.function(lambda *arrays: model(list(arrays), training=False))
    frozen, _ = convert_variables_to_constants_v2_as_graph(function.get_concrete_function(*inputs))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    counted = tf.compat.v1.profiler.profile(
        graph=frozen.graph, run_meta=tf.compat.v1.RunMetadata(), cmd="scope", options=options
    )
    return float(counted.total_float_ops)


def dense_operations(layers: Sequence[int]) -> float:
    """Count the operations of dense layers on one item: products, sums, biases and activations.

    Args:
        layers: nodes, the inputs first.
    """
    return float(sum(2 * a * b + 2 * b for a, b in itertools.pairwise(layers)))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of some work [s], the smallest of three."""
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def time_per_event(
    events: Events, methods: Mapping[str, Weights], sizes: Sequence[int]
) -> dict[str, list[float]]:
    """Measure the CPU time of an event in batches of several sizes [s].

    Args:
        events: at least as many as the largest batch.
        methods: give weights, neighbors and features included.
        sizes: events of a batch.
    """
    found: dict[str, list[float]] = {}
    for name, weights_of in methods.items():
        found[name] = []
        for size in sizes:
            batch = events.select(np.arange(len(events)) < size)
            weights_of(batch)  # TensorFlow prepares itself
            found[name].append(cpu_seconds(lambda: weights_of(batch)) / size)  # noqa: B023
    return found
