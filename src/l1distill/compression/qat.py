"""Quantization-aware training: a fixed-point network as a QKeras model, to be trained on."""

from typing import TYPE_CHECKING

import numpy as np

from l1distill.compression.qat_layers import keras_layers, quantized_activation, starting_weights
from l1distill.firmware.network.network import Network
from l1distill.models.tracing import trace_without_autograph

if TYPE_CHECKING:
    from tensorflow import keras


def to_qkeras(network: Network, name: str, start: Network | None = None) -> "keras.Model":
    """Build the QKeras model that computes what a fixed-point network computes.

    It begins where post-training quantization ends: the same types, the same numbers; training
    moves the numbers behind the quantizers. Batch normalization has been folded.

    Args:
        network: for instance from ``ptq.post_training_quantize``.
        name: of the model.
        start: the same layers with finer numbers to begin the training with.

    Returns:
        A model from inputs (n, inputs) to outputs (n, outputs).

    Raises:
        DataError: a layer has no counterpart in QKeras.
    """
    from tensorflow import keras

    trace_without_autograph()
    inputs = x = keras.layers.Input((network.inputs,), name="events")
    if network.input_exponents:
        units = np.exp2(-np.asarray(network.input_exponents, np.float64))
        x = keras.layers.Rescaling(units.tolist(), name="input_units")(x)
    tensors = [quantized_activation(network.input_type, "input_quantizer")(x)]
    weights = {}
    for layer, taken, finer in zip(
        network.layers, network.wiring, (start or network).layers, strict=True
    ):
        x = [tensors[source] for source in taken] if len(taken) > 1 else tensors[taken[0]]
        for keras_layer in keras_layers(layer):
            x = keras_layer(x)
        tensors.append(x)
        values = starting_weights(layer, finer)
        if values:
            weights[layer.name] = values
    model = keras.Model(inputs, x, name=name)
    for layer_name, values in weights.items():
        model.get_layer(layer_name).set_weights(values)
    return model
