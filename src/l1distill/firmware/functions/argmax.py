"""Which of several numbers is the largest, in place of a softmax: one bit for each."""

from typing import Any

import numpy as np

from l1distill.firmware.network.fixed_point import BIT, grid_of
from l1distill.firmware.network.layers import Dense, Quantize, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import Graph, refuse

MOST = 64
"""Numbers that are compared, each with each."""


def is_softmax(layer: Any) -> bool:
    """Tells a softmax, also one inside a Dense."""
    activation = getattr(layer, "activation", None)
    return type(layer).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"


def check_softmax(graph: Graph, wanted: str | None) -> None:
    """Refuses a softmax that no bits can stand for.

    Args:
        graph: the layers of a model.
        wanted: what stands for a softmax; None for nothing.

    Raises:
        DataError: there is a softmax that nothing is to stand for, or not at an end.
    """
    for number, segment in enumerate(graph.segments):
        for layer in segment.layers:
            if not is_softmax(layer):
                continue
            if wanted is None:
                refuse(
                    layer,
                    "the exponentials of a softmax have no fixed-point type; "
                    "precision.softmax=argmax gives a 1 for the largest number instead",
                )
            if number not in graph.ends or layer is not segment.layers[-1]:
                refuse(layer, "is a softmax before the end; only what goes into it can be used on")
            if getattr(layer, "axis", -1) not in (-1, 1):
                refuse(layer, f"is a softmax with axis={layer.axis}; use the last")


def one_hot(layer: Any, name: str, tensor: ValueRange) -> list[UnaryLayer]:
    """Returns the layers that give a 1 for the largest number and a 0 for all others.

    Each is held against each; of equal ones the first is taken, as ``numpy.argmax`` does.

    Args:
        layer: for messages.
        name: of the last layer, and the beginning of the others' names.
        tensor: of the numbers.
    """
    numbers = tensor.low.size
    if len(tensor.shape) != 1:
        refuse(layer, f"is a softmax of the shape {tensor.shape}; put a Flatten before it")
    if not 1 < numbers <= MOST:
        refuse(layer, f"is a softmax of {numbers} numbers; 2 to {MOST} can be compared")
    pairs = [(i, j) for i in range(numbers) for j in range(numbers) if i != j]
    identity = np.eye(numbers)
    # in steps: 1 or more where the one of the pair is larger, or equal and comes first
    apart = np.stack([identity[i] - identity[j] for i, j in pairs], axis=1) * 2.0**tensor.fraction
    first = np.array([float(i < j) for i, j in pairs])
    won = np.array([identity[i] for i, _ in pairs])
    all_but = np.full(numbers, 2.0 - numbers)
    return [
        Dense(
            f"{name}_pairs",
            kernel=apart,
            bias=first,
            kernel_type=grid_of(apart),
            bias_type=grid_of(first),
        ),
        Quantize(f"{name}_larger", type=BIT),
        Dense(
            f"{name}_won",
            kernel=won,
            bias=all_but,
            kernel_type=grid_of(won),
            bias_type=grid_of(all_but),
        ),
        Quantize(name, type=BIT),
    ]
