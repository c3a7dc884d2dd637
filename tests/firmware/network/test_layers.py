"""Layers against TensorFlow's, and what they say can come out of them against what does."""

from typing import Any

import numpy as np
import pytest

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Conv2D,
    Dense,
    MaxPool2D,
    Quantize,
    Reshape,
    Select,
    Square,
    UnaryLayer,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import ValueRange

KIND = FixedPoint(signed=True, integer=1, fraction=4)
RNG = np.random.default_rng(4)
IMAGE = (7, 4, 3)


def numbers(*shape: int) -> Any:
    return KIND.quantize(RNG.uniform(-2, 2, shape))


def convolution(height: int, width: int, filters: int, padding: Any, *strides: int) -> Conv2D:
    kernel, bias = numbers(height, width, IMAGE[-1], filters), numbers(filters)
    down, right = strides or (1, 1)
    return Conv2D(
        "layer",
        kernel=kernel,
        bias=bias,
        kernel_type=KIND,
        bias_type=KIND,
        padding=padding,
        strides=(down, right),
    )


LAYERS: list[UnaryLayer] = [
    *(convolution(3, 2, 2, padding) for padding in ("valid", "same")),
    *(convolution(2, 3, 5, padding) for padding in ("valid", "same")),
    convolution(4, 4, 1, "same"),
    *(convolution(3, 2, 2, padding, 2, 3) for padding in ("valid", "same")),
    *(convolution(2, 3, 4, padding, 3, 2) for padding in ("valid", "same")),
    *(convolution(1, 1, 2, padding, 2, 2) for padding in ("valid", "same")),
    Affine("layer", scale=numbers(3), offset=numbers(3), scale_type=KIND, offset_type=KIND),
    Affine(
        "layer", scale=numbers(*IMAGE), offset=numbers(*IMAGE), scale_type=KIND, offset_type=KIND
    ),
    MaxPool2D("layer", size=(3, 2)),
    MaxPool2D("layer", size=(2, 1)),
    UpSample2D("layer", size=(2, 3)),
    ZeroPad2D("layer", margins=((1, 2), (0, 3))),
    Quantize("layer", type=FixedPoint(signed=True, integer=0, fraction=2), negative_slope=0.25),
    Quantize("layer", type=FixedPoint(signed=False, integer=1, fraction=1)),
    Quantize(
        "layer",
        type=FixedPoint(signed=True, integer=0, fraction=2, rounding="TRN", overflow="WRAP"),
    ),
    Reshape("layer", shape=(12, 7)),
    Select("layer", indices=(83, 0, 7, 7, 1, 40), shape=(3, 2)),
    Square("layer"),
]


def by_tensorflow(layer: UnaryLayer, x: Any) -> Any:
    import tensorflow as tf

    if isinstance(layer, Conv2D):
        return tf.nn.conv2d(x, layer.kernel, layer.strides, layer.padding.upper()) + layer.bias
    if isinstance(layer, MaxPool2D):
        return tf.nn.max_pool2d(x, layer.size, layer.size, "VALID")
    if isinstance(layer, UpSample2D):
        return tf.keras.layers.UpSampling2D(layer.size)(x)
    if isinstance(layer, ZeroPad2D):
        return tf.keras.layers.ZeroPadding2D(layer.margins)(x)
    if isinstance(layer, Reshape):
        return tf.reshape(x, (-1, *layer.shape))
    if isinstance(layer, Select):
        return tf.reshape(tf.gather(tf.reshape(x, (-1, 84)), layer.indices, axis=1), (-1, 3, 2))
    if isinstance(layer, Square):
        return tf.square(x)
    if isinstance(layer, Affine):
        return x * layer.scale + layer.offset
    assert isinstance(layer, Quantize)
    if layer.type.overflow == "WRAP":
        return tf.math.floormod(tf.floor(x * 4) + 4, 8) / 4 - 1
    slope = layer.negative_slope if layer.type.signed else 0.0
    steps = tf.round(tf.nn.leaky_relu(x, slope) * 2**layer.type.fraction)
    return tf.clip_by_value(steps * layer.type.step, layer.type.low, layer.type.high)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_layer_computes_what_tensorflow_does(layer: UnaryLayer) -> None:
    x = numbers(50, *IMAGE)
    result = layer.apply(x)
    assert np.array_equal(result, np.asarray(by_tensorflow(layer, x)))
    assert np.unique(result).size > 2


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_what_comes_out_is_what_can_come_out(layer: UnaryLayer) -> None:
    ends = np.sort(numbers(2, *IMAGE), axis=0)
    before = ValueRange(low=ends[0], high=ends[1], fraction=KIND.fraction)
    after = layer.value_range(before)
    chosen = RNG.integers(0, 2, (300, *IMAGE))
    result = layer.apply(np.where(chosen, ends[1], ends[0]))
    assert after.shape == result.shape[1:]
    assert (result >= after.low).all()
    assert (result <= after.high).all()
    assert after.type.holds(result)
    if isinstance(layer, Conv2D | Affine | Square):
        assert (np.abs(result) <= layer.partial_sums(before)).all()


def test_the_ends_of_a_dense_layer_are_reached() -> None:
    layer = Dense("layer", kernel=numbers(6, 4), bias=numbers(4), kernel_type=KIND, bias_type=KIND)
    span = layer.value_range(ValueRange(low=np.full(6, -2.0), high=np.full(6, 1.5), fraction=1))
    corners = np.array(np.meshgrid(*[[-2.0, 1.5]] * 6)).reshape(6, -1).T
    result = layer.apply(corners)
    assert np.array_equal(result.max(axis=0), span.high)
    assert np.array_equal(result.min(axis=0), span.low)
