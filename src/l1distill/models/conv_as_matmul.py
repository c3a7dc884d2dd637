"""Computes convolutions as matrix products, for a faster training on small images.

An event is a very small image: a convolution over it has fewer inputs than a batch has events. A
run of layers without bias between two activations (reshape, pad, upsample, convolve) is a linear
map, and its matrix is what the layers make of the unit vectors. To compute that matrix once a step
and to multiply the batch by it is a few times quicker than to convolve every event, and it is the
same mathematics: gradients reach the kernels through the matrix.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

_MOVES = ("Reshape", "Flatten", "ZeroPadding2D", "UpSampling2D")
"""Layers that only move numbers or add zeros."""
_GAIN = 2
"""Least ratio of batch to inputs at which the detour through the matrix is taken."""


def unroll(
    chain: "Sequence[keras.layers.Layer]", batch: int
) -> "Callable[[tf.Tensor, bool], tf.Tensor]":
    """Make a function that computes a chain of layers, its convolutions as matrix products.

    Args:
        chain: layers that were called before, so that they have their weights.
        batch: events at a time.

    Returns:
        A function of a batch of inputs and of whether this is training.
    """
    steps = [_step(list(run), linear, batch) for linear, run in groupby(chain, _is_linear)]

    def compute(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        for step in steps:
            x = step(x, training)
        return x

    return compute


def _step(run: "list[keras.layers.Layer]", linear: bool, batch: int) -> Any:
    import tensorflow as tf

    def plainly(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        for layer in run:
            own = _FOR_XLA.get(_class_name(layer))
            x = layer(x, training=training) if own is None else own(layer, x)
        return x

    def as_matrix(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        inner = x.shape[1:]
        units = tf.reshape(tf.eye(inner.num_elements()), (-1, *inner))
        images = plainly(units, training)
        matrix = tf.reshape(images, (inner.num_elements(), -1))
        product = tf.reshape(x, (-1, inner.num_elements())) @ matrix
        return tf.reshape(product, (-1, *images.shape[1:]))

    convolves = linear and any(_class_name(layer) not in _MOVES for layer in run)

    def step(x: "tf.Tensor", training: bool) -> "tf.Tensor":
        worth = convolves and _GAIN * x.shape[1:].num_elements() <= batch
        return as_matrix(x, training) if worth else plainly(x, training)

    return step


def _upsample(layer: "keras.layers.UpSampling2D", x: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    (height, width), (rows, columns, channels) = layer.size, x.shape[1:]
    tiled = tf.tile(x[:, :, None, :, None, :], (1, 1, height, 1, width, 1))
    return tf.reshape(tiled, (-1, rows * height, columns * width, channels))


def _max_pool(layer: "keras.layers.MaxPooling2D", x: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    (height, width), (rows, columns, channels) = layer.pool_size, x.shape[1:]
    rows, columns = rows // height, columns // width
    x = x[:, : rows * height, : columns * width]
    x = tf.reshape(x, (-1, rows, height, columns, width, channels))
    return tf.reduce_max(x, axis=(2, 4))


_FOR_XLA: dict[str, Any] = {"UpSampling2D": _upsample, "MaxPooling2D": _max_pool}
"""Layers whose own gradients XLA cannot compile."""


def _is_linear(layer: "keras.layers.Layer") -> bool:
    name = _class_name(layer)
    if name in _MOVES:
        return True
    inner = getattr(layer, "layer", layer)  # within a pruning wrapper
    return (
        name in {"Conv2D", "QConv2D"}
        and not inner.use_bias
        and getattr(inner.activation, "__name__", "linear") == "linear"
    )


def _class_name(layer: "keras.layers.Layer") -> str:
    return type(getattr(layer, "layer", layer)).__name__
