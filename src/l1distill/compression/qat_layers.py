"""The Keras and QKeras layers that compute the layers of a fixed-point network."""

from typing import Any

import numpy as np

from l1distill.core.errors import DataError
from l1distill.firmware.network.back_ends import back_end
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Arithmetic,
    Concatenate,
    Conv2D,
    DecisionTrees,
    Dense,
    Layer,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    QuantizeElements,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import Array


@back_end("quantization-aware training, layers")
def keras_layers(layer: Layer) -> list[Any]:
    """Make the Keras layers that compute a layer one after the other.

    Raises:
        DataError: it has no counterpart in QKeras.
    """
    raise NotImplementedError


@back_end("quantization-aware training, weights")
def starting_weights(layer: Layer, finer: Layer) -> list[Array]:
    """Return the weights of the Keras layer of the same name to begin the training with.

    Args:
        layer: the layer that is trained.
        finer: the same layer with finer numbers, or itself.

    Returns:
        Its weights as ``set_weights`` takes them, the kernel first; none where nothing is trained.
    """
    raise NotImplementedError


@starting_weights.register
def _weights_of_linear(layer: Dense | Conv2D, finer: Dense | Conv2D) -> list[Array]:
    gain = 2.0 ** _lift(layer.kernel_type, layer.bias_type)
    return [finer.kernel * gain, finer.bias * gain]


@starting_weights.register
def _no_weights(
    _layer: Add
    | Affine
    | Concatenate
    | DecisionTrees
    | Lookup
    | MaxPool2D
    | Multiply
    | Quantize
    | QuantizeElements
    | Reshape
    | Select
    | Square
    | Subtract
    | UpSample2D
    | ZeroPad2D,
    _finer: Layer,
) -> list[Array]:
    return []


def _linear_options(layer: Dense | Conv2D, lift: int) -> dict[str, Any]:
    return {
        "kernel_quantizer": _quantizer(layer.kernel_type, lift),
        "bias_quantizer": _quantizer(layer.bias_type, lift),
        "kernel_initializer": "zeros",  # until the weights are set, with no random number drawn
        # QKeras would clip the weights it trains to the range of its default quantizer
        "kernel_constraint": None,
        "bias_constraint": None,
        "name": layer.name,
    }


@keras_layers.register
def _dense(layer: Dense) -> list[Any]:
    from qkeras import QDense

    lift = _lift(layer.kernel_type, layer.bias_type)
    dense = QDense(layer.kernel.shape[-1], **_linear_options(layer, lift))
    return [dense, *_shift(-lift, f"{layer.name}_shift")]


@keras_layers.register
def _convolution(layer: Conv2D) -> list[Any]:
    from qkeras import QConv2D

    lift = _lift(layer.kernel_type, layer.bias_type)
    height, width, _, filters = layer.kernel.shape
    options = {"padding": layer.padding, "strides": layer.strides, **_linear_options(layer, lift)}
    convolution = QConv2D(filters, (height, width), **options)
    return [convolution, *_shift(-lift, f"{layer.name}_shift")]


@keras_layers.register
def _affine(layer: Affine) -> list[Any]:
    from tensorflow.keras import layers

    if np.any(layer.offset != 0) or np.any(np.frexp(layer.scale)[0] != 0.5):
        raise DataError(
            f"layer {layer.name}: a batch normalization that cannot be folded is not trained "
            "further; put it behind or before a layer without padding"
        )
    return [layers.Rescaling(layer.scale.tolist(), name=layer.name)]


@keras_layers.register
def _quantize(layer: Quantize) -> list[Any]:
    from tensorflow.keras import layers

    lift = _lift(layer.type)
    leaky_relu = []
    if layer.negative_slope != 1.0:
        leaky_relu = [layers.LeakyReLU(layer.negative_slope, name=f"{layer.name}_leaky")]
    return [
        *_shift(lift, f"{layer.name}_up"),
        *leaky_relu,
        quantized_activation(layer.type, layer.name, lift),
        *_shift(-lift, f"{layer.name}_down"),
    ]


@keras_layers.register
def _refuse_types_of_elements(layer: QuantizeElements) -> list[Any]:
    raise DataError(
        f"layer {layer.name}: types of each element are not trained further here; train on with "
        "the package that learnt them"
    )


@keras_layers.register
def _max_pooling(layer: MaxPool2D) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.MaxPooling2D(layer.size, name=layer.name)]


@keras_layers.register
def _up_sampling(layer: UpSample2D) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.UpSampling2D(layer.size, name=layer.name)]


@keras_layers.register
def _zero_padding(layer: ZeroPad2D) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.ZeroPadding2D(layer.margins, name=layer.name)]


@keras_layers.register
def _reshape(layer: Reshape) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.Reshape(layer.shape, name=layer.name)]


@keras_layers.register
def _select(layer: Select) -> list[Any]:
    from l1distill.models.select_elements import SelectElements

    return [SelectElements(layer.indices, layer.shape, name=layer.name)]


@keras_layers.register
def _concatenate(layer: Concatenate) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.Concatenate(layer.axis + 1, name=layer.name)]


@keras_layers.register
def _arithmetic(layer: Arithmetic) -> list[Any]:
    from tensorflow.keras import layers

    return [getattr(layers, type(layer).__name__)(name=layer.name)]


@keras_layers.register
def _refuse_square(layer: Square) -> list[Any]:
    raise DataError(f"layer {layer.name}: squares have no layer in Keras; leave the score out")


@keras_layers.register
def _refuse_table(layer: Lookup) -> list[Any]:
    raise DataError(
        f"layer {layer.name}: tables have no layer in Keras; train on without the softmax"
    )


@keras_layers.register
def _refuse_trees(layer: DecisionTrees) -> list[Any]:
    raise DataError(
        f"layer {layer.name}: decision trees have no gradient to train on with; train them anew "
        "with l1distill student student=trees"
    )


def _lift(*types: FixedPoint) -> int:
    """Return the power of two by which numbers of these types are multiplied for QKeras.

    It knows no types that end right of the binary point; shifts around them cost nothing.
    """
    return max(0, *(-fixed_type.integer for fixed_type in types))


def _shift(power: int, name: str) -> list[Any]:
    """Return the layer that multiplies by a power of two; none for 1."""
    from tensorflow.keras import layers

    return [layers.Rescaling(2.0**power, name=name)] if power else []


def _quantizer(fixed_type: FixedPoint, lift: int = 0) -> Any:
    from qkeras import quantized_bits, quantized_relu

    if fixed_type.rounding != "RND_CONV" or fixed_type.overflow == "WRAP":
        raise DataError(
            f"{fixed_type.hls}: QKeras rounds half to even and saturates; quantize anew"
        )
    bits, integer = fixed_type.bits, fixed_type.integer + lift
    if not fixed_type.signed:
        return quantized_relu(bits, integer)
    symmetric = fixed_type.overflow == "SAT_SYM"
    return quantized_bits(bits, integer, alpha=1, symmetric=symmetric)


def quantized_activation(fixed_type: FixedPoint, name: str, lift: int = 0) -> Any:
    """Make the QActivation that rounds to a type.

    Args:
        fixed_type: the type.
        name: of the layer.
        lift: the power of two by which its inputs are multiplied.

    Raises:
        DataError: QKeras has no such rounding.
    """
    from qkeras import QActivation

    return QActivation(_quantizer(fixed_type, lift), name=name)
