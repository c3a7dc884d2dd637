"""A chain of Keras layers, gates put into it, and what they switched off taken out of it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.node_budget import FEATURES
from l1distill.compression.node_gates import Gate
from l1distill.core.errors import DataError
from l1distill.models.known_classes import custom_objects
from l1distill.models.select_elements import SelectElements

_LINEAR = keras.layers.Dense | keras.layers.Conv2D
"""Classes with nodes or filters; QDense and QConv2D derive from them."""
_ELEMENTWISE = ("Activation", "ReLU", "LeakyReLU", "QActivation", "BatchNormalization",
    "QuantizedBatchNormalization", "Dropout", "Range", "Rescaling")  # fmt: skip
"""Layers that take each number, or each channel, by itself."""
_CHANNELWISE = ("MaxPooling2D", "AveragePooling2D", "UpSampling2D", "ZeroPadding2D")
"""Layers that mix the numbers of a channel only."""
_SELECTION, _ZEROS = "kept_features", "unused_features"
Kept = NDArray[np.bool_]


def chain_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a network one after the other, the input apart.

    Raises:
        DataError: it is not one chain, or a layer is of a class that nodes are not traced through.
    """
    layers = [one for one in model.layers if not isinstance(one, keras.layers.InputLayer)]
    before = model.inputs
    known = (*_ELEMENTWISE, *_CHANNELWISE, "Flatten", "Reshape")
    for layer in layers:
        taken = tf.nest.flatten(layer.get_input_at(0))
        if len(before) != 1 or len(taken) != 1 or taken[0] is not before[0]:
            raise DataError(f"layer {layer.name}: the network is not one layer behind the other")
        if not isinstance(layer, _LINEAR) and type(layer).__name__ not in known:
            raise DataError(
                f"layer {layer.name} ({type(layer).__name__}): nodes cannot be switched off in a "
                "network with such a layer; choose compression=pruning or none"
            )
        before = tf.nest.flatten(layer.get_output_at(0))
    return layers


def hidden_layers(layers: Sequence[keras.layers.Layer]) -> dict[str, int]:
    """Return the nodes of each hidden layer, filters of convolutions, by its name."""
    linear = [layer for layer in layers if isinstance(layer, _LINEAR)]
    return {layer.name: int(layer.kernel.shape[-1]) for layer in linear[:-1]}


def with_gates(
    model: keras.Model, gate_of: Callable[[str], Gate | None]
) -> tuple[keras.Model, list[keras.layers.Layer]]:
    """Put gates behind the activations of layers, and one behind the input's quantizers.

    Args:
        model: a chain of layers, which the result shares.
        gate_of: returns the gate of a layer, or of the input (``features``); None for none.

    Returns:
        The network with gates, and its layers one after the other.
    """
    layers = chain_of(model)
    x = model.input
    gated: list[keras.layers.Layer] = []
    waiting = gate_of(FEATURES)
    for layer in layers:
        if waiting is not None and not _is_elementwise(layer):
            gated.append(waiting)
            waiting = None
        gated.append(layer)
        if isinstance(layer, _LINEAR):
            waiting = gate_of(layer.name)
    for layer in gated:
        x = layer(x)
    return keras.Model(model.input, x, name=model.name), gated


def node_norms(layers: Sequence[keras.layers.Layer], name: str) -> Callable[[], tf.Tensor]:
    """Return what measures the weights of a layer's nodes; of the features, those that take them.

    Args:
        layers: of a network.
        name: of one of them, or ``features``.
    """
    if name != FEATURES:
        layer = next(layer for layer in layers if layer.name == name)
        return lambda: tf.norm(tf.reshape(_kernel(layer), (-1, _kernel(layer).shape[-1])), axis=0)
    first = next(layer for layer in layers if isinstance(layer, _LINEAR))
    if len(first.kernel.shape) != 2:
        raise DataError(
            "compression.feature_score=magnitude: a convolution has the same weights for many "
            "features; choose fisher"
        )
    return lambda: tf.norm(_kernel(first), axis=1)


def _kernel(layer: Any) -> tf.Tensor:
    if hasattr(layer, "fold"):  # batch normalization decides what a weight is worth
        return layer.fold(layer.moving_mean, layer.moving_variance)[0]
    return layer.kernel


def without_nodes(
    model: keras.Model, layers: Sequence[keras.layers.Layer], on: Mapping[str, Kept]
) -> keras.Model:
    """Return the network without the nodes and features that are off.

    Its outputs are the same: what is left out was zero, or was multiplied by zero. It still takes
    all features, and passes over those that are off: into a dense layer only the others go, and in
    front of convolutions they become zeros. In firmware neither costs anything.

    Args:
        model: with gates.
        layers: of it, one after the other.
        on: of each layer, or of the input (``features``), which nodes are on.
    """
    x = keras.layers.Input(model.input_shape[1:], name=model.input_names[0])
    inputs, kept = x, np.ones(model.input_shape[-1], np.bool_)
    with warnings.catch_warnings(), keras.utils.custom_object_scope(custom_objects()):
        warnings.simplefilter("ignore", UserWarning)  # of how QKeras writes its quantizers
        for number, layer in enumerate(layers):
            if isinstance(layer, Gate):
                if layer.gated == FEATURES:
                    into = next(one for one in layers[number + 1 :] if not _is_elementwise(one))
                    x, kept = _without_features(x, on[FEATURES], into)
                continue
            x, kept = _without(layer, x, kept, on.get(layer.name))
    return keras.Model(inputs, x, name=model.name)


def _without_features(x: Any, on: Kept, into: keras.layers.Layer) -> tuple[Any, Kept]:
    if on.all():
        return x, on
    if isinstance(into, _LINEAR) and len(x.shape) == 2:
        numbers = np.flatnonzero(on).tolist()
        return SelectElements(numbers, (len(numbers),), name=_SELECTION)(x), on
    zeros = keras.layers.Rescaling(on.astype(float).tolist(), name=_ZEROS)
    return zeros(x), np.ones_like(on)


def _without(layer: Any, x: Any, kept: Kept, on: Kept | None) -> tuple[Any, Kept]:
    """Append a layer for the numbers, or channels, that are there; return which come out."""
    config, weights = layer.get_config(), [np.asarray(w) for w in layer.get_weights()]
    if isinstance(layer, _LINEAR):
        after = np.ones(layer.kernel.shape[-1], np.bool_) if on is None else on
        config["units" if isinstance(layer, keras.layers.Dense) else "filters"] = int(after.sum())
        kernel, *others = weights
        weights = [kernel[..., kept, :][..., after], *(each[after] for each in others)]
    elif type(layer).__name__ == "Flatten":
        after = np.tile(kept, int(np.prod(layer.input_shape[1:])) // kept.size)
    elif type(layer).__name__ == "Reshape":
        if not kept.all():
            raise DataError(f"layer {layer.name}: nodes before a Reshape cannot be removed")
        after = np.ones(layer.get_output_at(0).shape[-1], np.bool_)
    else:
        after = kept
        if type(layer).__name__ == "Rescaling":
            for name in ("scale", "offset"):
                if np.ndim(config[name]):
                    config[name] = np.asarray(config[name])[kept].tolist()
        weights = [each[kept] for each in weights]
    copy = type(layer).from_config(config)
    x = copy(x)
    copy.set_weights(weights)
    return x, after


def _is_elementwise(layer: keras.layers.Layer) -> bool:
    return type(layer).__name__ in _ELEMENTWISE
