"""QKeras networks that have every layer, at any number of bits, with random weights."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.network import Network


def weights(bits: int) -> Any:
    from qkeras import quantized_bits

    return quantized_bits(bits, 0, alpha=1)


def grid(bits: int, integer: int = 1) -> Any:
    from qkeras import QActivation

    integer = min(integer, bits - 2)  # two bits of small numbers would be nothing but zeros
    return QActivation(f"quantized_bits({bits}, {integer}, alpha=1)")


def relu(bits: int, integer: int = 1, slope: float = 0.0) -> Any:
    from qkeras import QActivation, quantized_relu

    return QActivation(quantized_relu(bits, min(integer, bits - 2), negative_slope=slope))


def dense(bits: int, width: int) -> Any:
    from qkeras import QDense

    return QDense(width, kernel_quantizer=weights(bits), bias_quantizer=weights(bits))


def convolution(bits: int, filters: int, kernel: tuple[int, int], **options: Any) -> Any:
    from qkeras import QConv2D

    quantizers = {"kernel_quantizer": weights(bits), "bias_quantizer": weights(bits)}
    return QConv2D(filters, kernel, **quantizers, **options)


def norm(bits: int) -> Any:
    from l1distill.models.batch_normalization import QuantizedBatchNormalization

    return QuantizedBatchNormalization(
        f"quantized_bits({bits}, 1, alpha=1)", f"quantized_bits({bits}, 0, alpha=1)"
    )


def leaky(bits: int) -> list[Any]:
    from tensorflow.keras import layers

    return [layers.LeakyReLU(0.25), grid(bits)]


def chain(shape: tuple[int, ...], layers: Sequence[Any], heads: Sequence[Any] = ()) -> Any:
    import tensorflow as tf

    x = first = tf.keras.Input(shape)
    for layer in layers:
        x = layer(x)
    if heads:
        x = tf.keras.layers.Concatenate()([head(x) for head in heads])
    return fill(tf.keras.Model(first, x))


def fill(model: Any, seed: int = 5) -> Any:
    """Gives every weight a random number, so that rounding and saturation are met."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            name, shape = variable.name, variable.shape
            if "variance" in name:
                values.append(rng.uniform(0.2, 3, shape))
            elif "gamma" in name:
                values.append(rng.choice([-1, 1], shape) * rng.uniform(0.4, 1.5, shape))
            elif len(shape) > 1:
                values.append(rng.normal(0.1, 0.7, shape) * (rng.random(shape) < 0.8))
            else:  # most ReLUs stay alive
                values.append(rng.normal(0.3, 0.3, shape))
        layer.set_weights(values)
    return model


def dense_network(bits: int) -> Any:
    """Inputs with ranges of their own, normalization, leaky ReLU, two heads side by side."""
    from tensorflow.keras import layers

    scale = [2.0**-exponent for exponent in (0, 3, -2, 5, 1, 0, 0, 4)]
    body = [
        layers.Rescaling(scale),
        grid(bits),
        norm(bits),
        grid(bits),
        dense(bits, 6),
        norm(bits),
        *leaky(bits),
        dense(bits, 5),
        relu(bits),
    ]
    return chain((8,), body, [dense(bits, 2), dense(bits, 3)])


def image_network(bits: int) -> Any:
    """Convolutions of both paddings, pooling, upsampling, zeros around: an image in and out."""
    from tensorflow.keras import layers

    body = [
        grid(bits),
        layers.ZeroPadding2D(((1, 0), (0, 0))),
        norm(bits),
        convolution(bits, 3, (3, 3), use_bias=False),
        relu(bits),
        layers.MaxPooling2D((2, 1)),
        convolution(bits, 4, (3, 1), padding="same"),
        layers.MaxPooling2D((2, 1)),
        relu(bits),
        layers.Flatten(),
        dense(bits, 4),
        grid(bits),
        dense(bits, 4),
        relu(bits),
        layers.Reshape((2, 1, -1)),
        layers.UpSampling2D((2, 3)),
        convolution(bits, 3, (2, 2), padding="same", use_bias=False),
        relu(bits),
        layers.ZeroPadding2D(((1, 2), (0, 1))),
        convolution(bits, 1, (3, 2)),
        grid(bits, 2),
    ]
    return chain((8, 3, 1), body)


def slope_network(bits: int) -> Any:
    """QKeras' own leaky ReLU, which cuts off before the slope."""
    return chain((6,), [grid(bits), dense(bits, 6), relu(bits, 0, 0.25), dense(bits, 3)])


def qkeras_normalized(bits: int) -> Any:
    """QKeras' own batch normalization; without epsilon its scale is on a grid."""
    from qkeras import QBatchNormalization

    layer = QBatchNormalization(
        epsilon=1e-30,
        gamma_quantizer=weights(bits),
        beta_quantizer=weights(bits),
        mean_quantizer=weights(bits),
    )
    return chain((6,), [grid(bits), layer, grid(bits), dense(bits, 3)])


def dnn_autoencoder(bits: int) -> Any:
    """57-32-16-3-16-32-57 of Govorkova et al., normalized inputs and layers, leaky ReLU."""
    body = [grid(bits), norm(bits), grid(bits)]
    for width in (32, 16, 3, 16, 32):
        body += [dense(bits, width), norm(bits), *leaky(bits)]
    return chain((57,), [*body, dense(bits, 57), grid(bits, 2)])


def cnn_autoencoder(bits: int) -> Any:
    """The convolutional autoencoder of Govorkova et al. with its largest-value pooling."""
    from tensorflow.keras import layers

    def block(filters: int, kernel: tuple[int, int], padding: str) -> list[Any]:
        return [
            convolution(bits, filters, kernel, padding=padding, use_bias=False),
            relu(bits),
        ]

    body = [
        layers.Reshape((19, 3, 1)),
        layers.ZeroPadding2D(((1, 0), (0, 0))),
        norm(bits),
        *block(16, (3, 3), "valid"),
        layers.MaxPooling2D((3, 1)),
        *block(32, (3, 1), "same"),
        layers.MaxPooling2D((3, 1)),
        layers.Flatten(),
        dense(bits, 8),
        grid(bits),
        dense(bits, 64),
        relu(bits),
        layers.Reshape((2, 1, 32)),
        *block(32, (3, 1), "same"),
        layers.UpSampling2D((3, 1)),
        *block(16, (3, 1), "same"),
        layers.UpSampling2D((3, 3)),
        layers.ZeroPadding2D(((1, 2), (1, 1))),
        convolution(bits, 1, (3, 3), use_bias=False),
        layers.Flatten(),
        grid(bits, 3),
    ]
    return chain((57,), [grid(bits), *body])


NETWORKS: dict[str, Callable[[int], Any]] = {
    "dense": dense_network,
    "image": image_network,
    "slope": slope_network,
    "qkeras_norm": qkeras_normalized,
    "dnn_ae": dnn_autoencoder,
    "cnn_ae": cnn_autoencoder,
}


def full_range(network: Network, events: int = 400) -> NDArray[np.float64]:
    """Returns (events, inputs) on the grid of the inputs: anything, and the corners."""
    rng = np.random.default_rng(7)
    fixed_type = network.input_type
    low, high = round(fixed_type.low / fixed_type.step), round(fixed_type.high / fixed_type.step)
    codes = rng.integers(low, high + 1, (events, network.inputs))
    codes[: events // 2] *= rng.random((events // 2, network.inputs)) < 0.4
    codes[0], codes[1], codes[2] = 0, low, high
    return codes * fixed_type.step * network.input_units


def outputs(model: Any, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (n, outputs) what QKeras says."""
    shaped = x.reshape(len(x), *model.input_shape[1:])
    return np.asarray(model(shaped), dtype=np.float64).reshape(len(x), -1)
