"""Leaves out the softmax at the end of a Keras model, so that it ends at the logits."""

import warnings
from collections.abc import Set
from functools import partial
from typing import Any

from l1distill.firmware.readers.keras_graph import read_graph
from l1distill.firmware.readers.softmax import is_softmax
from l1distill.models.known_classes import custom_objects


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
    from tensorflow import keras

    with keras.utils.custom_object_scope(custom_objects()), warnings.catch_warnings():
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
