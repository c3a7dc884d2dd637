"""Finds the softmax of a Keras model, leaves it out, and refuses one that cannot be replaced."""

import warnings
from collections.abc import Set
from functools import partial
from typing import Any

from l1distill.firmware.functions.argmax import MOST_NUMBERS
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import Graph, read_graph, refuse


def is_softmax(layer: Any) -> bool:
    """Tell a softmax layer, and a layer with softmax as its activation, from all others."""
    activation = getattr(layer, "activation", None)
    return type(layer).__name__ == "Softmax" or getattr(activation, "__name__", "") == "softmax"


def without_softmax(model: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a model that ends at the logits, with the same weights.

    Args:
        model: of Keras; it stays as it is.

    Returns:
        The model without a softmax at its outputs, and the names of the layers that had one; the
        model itself where none has.

    Raises:
        DataError: the model's graph cannot be read.
    """
    graph = read_graph(model)
    names = {
        segment.layers[-1].name
        for segment in (graph.segments[number] for number in graph.outputs)
        if segment.layers and is_softmax(segment.layers[-1])
    }
    if not names:
        return model, ()
    from qkeras.utils import _add_supported_quantized_objects
    from tensorflow import keras

    objects: dict[str, Any] = {}
    _add_supported_quantized_objects(objects)
    with keras.utils.custom_object_scope(objects), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras' constraints are not Keras' own
        logits = keras.models.clone_model(model, clone_function=partial(_clone, names=names))
    logits.set_weights(model.get_weights())
    return logits, tuple(sorted(names))


def _clone(layer: Any, names: Set[str]) -> Any:
    """Return a new layer without weights, one of these names without its softmax."""
    from tensorflow import keras

    if hasattr(layer, "layers"):
        return keras.models.clone_model(layer, clone_function=partial(_clone, names=names))
    if layer.name not in names or not is_softmax(layer):
        return type(layer).from_config(layer.get_config())
    if type(layer).__name__ == "Softmax":
        return keras.layers.Activation("linear", name=layer.name)
    return type(layer).from_config({**layer.get_config(), "activation": "linear"})


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
