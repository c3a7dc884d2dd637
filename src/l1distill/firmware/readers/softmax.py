"""Finds the softmax of a Keras model, and refuses one that cannot be replaced."""

from typing import Any

from l1distill.firmware.functions.argmax import MOST_NUMBERS
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import Graph
from l1distill.firmware.readers.refusal import refuse


def is_softmax(layer: Any) -> bool:
    """Tell a softmax layer, and a layer with softmax as its activation, from all others."""
    activation = getattr(layer, "activation", None)
    return type(layer).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"


def check_softmax(graph: Graph, replacement: str | None) -> None:
    """Refuse a softmax that has no replacement, or is not an output of the model.

    Args:
        graph: the layers of a model.
        replacement: what stands for a softmax; None for nothing.

    Raises:
        DataError: there is such a softmax.
    """
    for number, segment in enumerate(graph.segments):
        for layer in segment.layers:
            if not is_softmax(layer):
                continue
            if replacement is None:
                refuse(
                    layer,
                    "the exponentials of a softmax have no fixed-point type; "
                    "precision.softmax=argmax gives a 1 for the largest number instead, "
                    "logits what goes into it",
                )
            if number not in graph.outputs or layer is not segment.layers[-1]:
                refuse(layer, "is a softmax before the end; only what goes into it can be used on")
            if getattr(layer, "axis", -1) not in (-1, 1):
                refuse(layer, f"is a softmax with axis={layer.axis}; use the last")


def check_argmax(layer: Any, tensor: ValueRange) -> None:
    """Refuse a softmax whose inputs cannot be compared with one another.

    Args:
        layer: the softmax.
        tensor: the value range of its input.

    Raises:
        DataError: it is no vector, or one of too many numbers.
    """
    if len(tensor.shape) != 1:
        refuse(layer, f"is a softmax of the shape {tensor.shape}; put a Flatten before it")
    if not 1 < tensor.size <= MOST_NUMBERS:
        refuse(layer, f"is a softmax of {tensor.size} numbers; 2 to {MOST_NUMBERS} can be compared")
