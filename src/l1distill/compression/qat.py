"""Quantization-aware training: a fixed-point network becomes a QKeras model and is trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Arithmetic,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Quantize,
    Reshape,
    Square,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.network import Network
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


def to_qkeras(network: Network, name: str, start: Network | None = None) -> "keras.Model":
    """Builds the QKeras model that computes what a fixed-point network computes.

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

    inputs = x = keras.layers.Input((network.inputs,), name="events")
    if network.input_exponents:
        units = np.exp2(-np.asarray(network.input_exponents, np.float64))
        x = keras.layers.Rescaling(units.tolist(), name="input_units")(x)
    tensors = [_activation(network.input_type, "input_quantizer")(x)]
    constants = {}
    for layer, taken, finer in zip(
        network.layers, network.wiring, (start or network).layers, strict=True
    ):
        x = [tensors[source] for source in taken] if len(taken) > 1 else tensors[taken[0]]
        for part in _layers(layer):
            x = part(x)
        tensors.append(x)
        if isinstance(layer, Dense | Conv2D) and isinstance(finer, Dense | Conv2D):
            gain = 2.0 ** _lift(layer.kernel_type, layer.bias_type)
            constants[layer.name] = [finer.kernel * gain, finer.bias * gain]
    model = keras.Model(inputs, x, name=name)
    for layer_name, values in constants.items():
        model.get_layer(layer_name).set_weights(values)
    return model


def _layers(layer: Layer) -> list[Any]:
    from qkeras import QConv2D, QDense
    from tensorflow.keras import layers

    if isinstance(layer, Dense | Conv2D):
        lift = _lift(layer.kernel_type, layer.bias_type)
        quantizers = {
            "kernel_quantizer": _quantizer(layer.kernel_type, lift),
            "bias_quantizer": _quantizer(layer.bias_type, lift),
            "kernel_initializer": "zeros",  # until the weights are set, with no random number drawn
            # QKeras would clip the weights it trains to the range of its default quantizer
            "kernel_constraint": None,
            "bias_constraint": None,
            "name": layer.name,
        }
        outputs = layer.kernel.shape[-1]
        if isinstance(layer, Dense):
            found = QDense(outputs, **quantizers)
        else:
            options = {"padding": layer.padding, "strides": layer.strides, **quantizers}
            found = QConv2D(outputs, layer.kernel.shape[:2], **options)
        return [found, *_shift(-lift, f"{layer.name}_shift")]
    if isinstance(layer, Affine):
        if np.any(layer.offset != 0) or np.any(np.frexp(layer.scale)[0] != 0.5):
            raise DataError(
                f"layer {layer.name}: a batch normalization that cannot be folded is not trained "
                "further; put it behind or before a layer without padding"
            )
        return [layers.Rescaling(layer.scale.tolist(), name=layer.name)]
    if isinstance(layer, Quantize):
        lift = _lift(layer.type)
        leaky = []
        if layer.negative_slope != 1.0:
            leaky = [layers.LeakyReLU(layer.negative_slope, name=f"{layer.name}_leaky")]
        return [
            *_shift(lift, f"{layer.name}_up"),
            *leaky,
            _activation(layer.type, layer.name, lift),
            *_shift(-lift, f"{layer.name}_down"),
        ]
    if isinstance(layer, MaxPool2D):
        return [layers.MaxPooling2D(layer.size, name=layer.name)]
    if isinstance(layer, UpSample2D):
        return [layers.UpSampling2D(layer.size, name=layer.name)]
    if isinstance(layer, ZeroPad2D):
        return [layers.ZeroPadding2D(layer.margins, name=layer.name)]
    if isinstance(layer, Concatenate):
        return [layers.Concatenate(layer.axis + 1, name=layer.name)]
    if isinstance(layer, Arithmetic):
        return [getattr(layers, type(layer).__name__)(name=layer.name)]
    if isinstance(layer, Square):
        raise DataError(f"layer {layer.name}: squares have no layer in Keras; leave the score out")
    assert isinstance(layer, Reshape)
    return [layers.Reshape(layer.shape, name=layer.name)]


def _lift(*kinds: FixedPoint) -> int:
    """Returns the power of two by which numbers of these types are multiplied for QKeras.

    It knows no types that end right of the binary point; shifts around them cost nothing.
    """
    return max(0, *(-kind.integer for kind in kinds))


def _shift(power: int, name: str) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.Rescaling(2.0**power, name=name)] if power else []


def _quantizer(kind: FixedPoint, lift: int = 0) -> Any:
    from qkeras import quantized_bits, quantized_relu

    if kind.rounding != "RND_CONV" or kind.overflow == "WRAP":
        raise DataError(f"{kind.hls}: QKeras rounds half to even and saturates; quantize anew")
    bits, integer = kind.bits, kind.integer + lift
    if not kind.signed:
        return quantized_relu(bits, integer)
    return quantized_bits(bits, integer, alpha=1, symmetric=kind.overflow == "SAT_SYM")


def _activation(kind: FixedPoint, name: str, lift: int = 0) -> Any:
    from qkeras import QActivation

    return QActivation(_quantizer(kind, lift), name=name)


def quantized_loss(
    model: "keras.Model",
    decoder: "Sequence[keras.layers.Layer] | None",
    standardization: Standardization,
    beta: float | None,
) -> "tuple[keras.Model, Loss]":
    """Makes what a quantized autoencoder is trained with.

    Args:
        model: from events to their reconstruction; of a VAE, from events to its latent numbers.
        decoder: of a VAE, in floating point: it is trained with the encoder and thrown away.
        standardization: of the training split.
        beta: weight of D_KL, or None for a plain autoencoder.

    Returns:
        A model that holds every variable to train, and the loss.
    """
    from tensorflow import keras

    from l1distill.tasks.anomaly.autoencoder import autoencoder_loss, sample

    def decode(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        for layer in decoder or ():
            x = layer(x, training=training)
        return x

    def compute(events: "tf.Tensor", step: Step) -> Any:
        outputs = model(events, training=step.training)
        if decoder is None:
            return outputs, None
        size = outputs.shape[1] // 2
        mean, log_variance = outputs[:, :size], outputs[:, size:]
        return decode(sample(mean, log_variance, step), step.training), (mean, log_variance)

    whole = model
    if decoder is not None:
        half = model.output_shape[1] // 2
        outputs = decode(model.output[:, :half], training=False)
        whole = keras.Model(model.input, outputs, name=model.name)
    return whole, autoencoder_loss(compute, standardization, beta)
