"""Layers of deep sets and published models, in every back end against QKeras itself."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import DataError
from l1distill.firmware.cost import estimate
from l1distill.firmware.emulator import cpp as cpp_emulator
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense
from l1distill.firmware.network.network import EXACT_FLOAT32_BITS, connect, evaluate, widest_sum
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.network.value_range import value_range_of
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.division import Division, rounded_division
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.reference import predict_keras
from tests.firmware.emulators import library, simulated
from tests.firmware.networks import (
    chain,
    convolution,
    dense,
    fill,
    full_range,
    grid,
    norm,
    relu,
    weights,
)
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "firmware.limit")


def deep_set() -> Any:
    """Dense on the last axis, a mean over six objects that a quantizer rounds."""
    from tensorflow.keras import layers

    body = [grid(5), dense(4, 4), relu(5), layers.GlobalAveragePooling1D(), grid(6), dense(4, 3)]
    return chain((6, 3), body)


def distributed() -> Any:
    """A network for each object, whose results are combined with those of all."""
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((3, 4))
    each = tf.keras.Sequential([dense(4, 3), norm(6), relu(5)])
    x = layers.TimeDistributed(grid(5))(first)
    x = layers.TimeDistributed(each)(x)
    mean = layers.AveragePooling1D(3)(x)
    away = grid(5)(layers.Subtract()([x, relu(6)(mean)]))
    total = tf.reduce_sum(away, axis=1)
    both = layers.Add()([away, relu(4)(total)])
    model = tf.keras.Model(first, dense(4, 2)(layers.Flatten()(both)))
    fill(each)
    return fill_outer(model)


def fill_outer(model: Any) -> Any:
    """Fill the layers that stand in the model itself."""
    import tensorflow as tf

    own = [layer for layer in model.layers if type(layer).__name__ != "TimeDistributed"]
    for layer in own:
        if layer.weights:
            fill(tf.keras.Sequential([layer]))
    return model


def wiring() -> Any:
    """Nothing but wires between the layers that compute."""
    from tensorflow.keras import layers

    body = [
        *(layers.GaussianNoise(0.1), grid(5), layers.Permute((2, 1)), layers.Cropping1D((1, 0))),
        *(dense(4, 3), layers.SpatialDropout1D(0.5), relu(5), layers.Flatten()),
        *(dense(4, 4), grid(5), layers.RepeatVector(3), layers.Reshape((3, 4, 1))),
        *(layers.Cropping2D(((1, 0), (0, 1))), layers.Permute((3, 2, 1)), layers.Flatten()),
        *(layers.AlphaDropout(0.1), dense(4, 2)),
    ]
    return chain((4, 3), body)


def same_pooling() -> Any:
    from tensorflow.keras import layers

    body = [
        *(grid(5), layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same")),
        *(convolution(4, 2, (2, 2)), grid(5)),
        *(layers.AveragePooling2D((2, 2), padding="same"), grid(7), layers.Flatten(), dense(4, 2)),
    ]
    return chain((6, 4, 1), body)


def merges() -> Any:
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((4,))
    x = grid(5)(first)
    a, b, c = (grid(5)(dense(4, 4)(x)) for _ in range(3))
    ends = [
        *(layers.Average()([a, b]), grid(6)(layers.Average()([a, b, c]))),
        *(layers.Maximum()([a, b, c]), layers.Minimum()([a, relu(4)(b)])),
        *(a + b, layers.Dot(1)([a, c]), a[:, 1:3] * 0.5, 1.5 - tf.maximum(a, c)),
    ]
    return fill(tf.keras.Model(first, layers.Concatenate()(ends)))


def operations() -> Any:
    """Functions of TensorFlow that do no more than layers do."""
    import tensorflow as tf

    first = tf.keras.Input((3, 4))
    x = grid(5)(first)
    turned = tf.transpose(x, (0, 2, 1))[:, :, ::2]
    largest = tf.reduce_max(x, axis=(1, 2), keepdims=True)
    ends = [
        *(
            tf.reshape(largest, (-1, 1)),
            tf.reduce_sum(x, axis=-1) / 4.0,
        ),
        *(tf.reshape(turned, (-1, 8)), -tf.squeeze(x[:, :1], axis=1), tf.square(x[:, 0])),
        *(tf.reshape(tf.concat([tf.tile(x, [1, 1, 2]), tf.repeat(x, 2, axis=2)], 1), (-1, 48)),),
        grid(6)(tf.reduce_mean(x, axis=1)),
    ]
    return tf.keras.Model(first, tf.concat(ends, axis=-1))


def depthwise(bits: int, size: tuple[int, int], **options: Any) -> Any:
    from qkeras import QDepthwiseConv2D

    quantizers = {"depthwise_quantizer": weights(bits), "bias_quantizer": weights(bits)}
    return QDepthwiseConv2D(size, **quantizers, **options)


def separable() -> Any:
    """Convolutions whose channels meet late or in groups, and windows with gaps."""
    from qkeras import QSeparableConv1D, QSeparableConv2D
    from tensorflow.keras import layers

    quantizers = {
        "depthwise_quantizer": weights(3),
        "pointwise_quantizer": weights(4),
        "bias_quantizer": weights(4),
    }
    body = [
        *(grid(4), depthwise(4, (2, 2), depth_multiplier=2, padding="same"), relu(4)),
        *(convolution(4, 4, (2, 1), groups=2), relu(4)),
        *(QSeparableConv2D(2, (2, 2), **quantizers), grid(4)),
        *(depthwise(4, (2, 1), dilation_rate=(2, 1), use_bias=False), relu(4)),
        *(layers.Reshape((-1, 2)), QSeparableConv1D(2, 2, dilation_rate=2, **quantizers), grid(5)),
        *(layers.Flatten(), dense(4, 2)),
    ]
    return chain((6, 4, 2), body)


def dilated() -> Any:
    from qkeras import QConv1D
    from tensorflow.keras import layers

    quantizers = {"kernel_quantizer": weights(4), "bias_quantizer": weights(4)}
    body = [
        *(grid(5), QConv1D(2, 2, dilation_rate=3, padding="causal", **quantizers), relu(5)),
        *(QConv1D(2, 3, dilation_rate=2, padding="same", **quantizers), grid(5)),
        *(layers.Reshape((4, 2, 2)), convolution(4, 2, (2, 2), dilation_rate=(2, 1)), grid(5)),
        *(layers.Flatten(), dense(4, 2)),
    ]
    return chain((8, 2), body)


def several_inputs() -> Any:
    """Inputs of different type and shape; two of them go through the same layers."""
    import tensorflow as tf
    from tensorflow.keras import layers

    muons, jets, energy = tf.keras.Input((3,)), tf.keras.Input((3,)), tf.keras.Input((2, 2))
    shared, activation = dense(4, 4), relu(5)
    one = activation(shared(grid(6)(muons)))
    other = activation(shared(grid(5, 2)(jets)))
    rest = dense(4, 2)(layers.Flatten()(relu(4, 2)(layers.Rescaling(0.25)(energy))))
    joined = layers.Concatenate()([one, other, rest])
    return fill(tf.keras.Model([jets, energy, muons], dense(4, 3)(joined)))


def shared() -> Any:
    """A layer of its own results, a model within the model that is used twice."""
    import tensorflow as tf

    first = tf.keras.Input((4,))
    inside = tf.keras.Input((4,))
    again, activation = dense(4, 4), grid(5)
    block = tf.keras.Model(inside, activation(again(inside)))
    x = block(grid(5)(first))
    x = activation(again(x))
    return fill(tf.keras.Model(first, block(x) + x))


OBJECTS = (deep_set, distributed, merges, several_inputs, wiring)
IMAGES = (same_pooling, operations, separable, dilated, shared)


@pytest.mark.parametrize("make", [*OBJECTS, *IMAGES])
def test_numpy_and_the_emulator_are_qkeras(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    save(from_qkeras(model), tmp_path / "network.json")
    network = load(tmp_path / "network.json")  # from the file alone
    x = np.concatenate([full_range(network), adversarial_events(network, 200, 1).x])
    y = predict_keras(model, x)
    assert np.ptp(y, axis=0).any(), "constant outputs would prove nothing"
    assert widest_sum(network)[1] <= EXACT_FLOAT32_BITS
    assert np.array_equal(evaluate(network, x), y)
    assert np.array_equal(trace_network(network).predict(x), y)
    assert estimate(network, 3.5).lut_estimate > 0


def test_ends_with_names_are_in_the_order_of_their_names() -> None:
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((3, 2, 2))
    x = layers.TimeDistributed(layers.Flatten())(grid(5)(first))
    named = {"b": relu(4)(dense(4, 2)(x)), "a": layers.TimeDistributed(layers.Reshape((2, 2)))(x)}
    model = fill(tf.keras.Model({"objects": first}, named))
    network = from_qkeras(model)
    x = full_range(network)
    assert np.array_equal(evaluate(network, x)[:, :12], x)
    assert np.array_equal(evaluate(network, x), predict_keras(model, x))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LayerNormalization", "divides by a square root.*use BatchNormalization"),
        ("GlobalMaxPooling3D", "is not supported; supported are .*Dense.*Maximum"),
    ],
)
def test_a_class_that_nothing_reads_is_refused_with_its_reason(name: str, words: str) -> None:
    from tensorflow.keras import layers

    body = [layers.Reshape((3, 3, 2, 1)), getattr(layers, name)()]
    with pytest.raises(DataError, match=words) as refusal:
        from_qkeras(chain((3, 3, 2), [grid(5), *body]))
    assert "Reduction" not in str(refusal.value)
    with pytest.raises(DataError, match=words):
        post_training_quantize(chain((3, 3, 2), body), 8, np.ones((9, 18)))


def side_by_side(makes: Sequence[Callable[[], Any]]) -> Any:
    """Models as one, whose compilers then run once."""
    import tensorflow as tf

    inputs, outputs = [], []
    for make in makes:
        model = make()
        own = [tf.keras.Input(tuple(tensor.shape[1:])) for tensor in model.inputs]
        inputs += own
        outputs.append(model(own))
    return tf.keras.Model(inputs, outputs)


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize("makes", [OBJECTS, IMAGES], ids=["objects", "images"])
def test_every_back_end_is_qkeras(makes: Sequence[Callable[[], Any]], tmp_path: Path) -> None:
    model = side_by_side(makes)
    network = from_qkeras(model)
    x = full_range(network, 200)
    y = predict_keras(model, x)
    assert np.array_equal(evaluate(network, x), y)
    emulator = trace_network(network)
    assert np.array_equal(cpp_emulator.predict(library(emulator, tmp_path / "cpp"), x), y)
    hls.write_hls_project(network, HARDWARE, tmp_path / "hls")
    assert np.array_equal(hls.simulate_hls(tmp_path / "hls", x, network, BOUNDS), y)
    assert np.array_equal(simulated(network, x, tmp_path / "rtl"), y)


def objects_in_floating_point() -> Any:
    """A deep set of two kinds of objects, with layers that a QKeras model does not have."""
    import tensorflow as tf
    from tensorflow.keras import layers

    jets, muons = tf.keras.Input((6, 3)), tf.keras.Input((4, 3))
    each = layers.Dense(5, activation="relu")
    sums = [layers.GlobalAveragePooling1D()(layers.Dense(4)(each(x))) for x in (jets, muons)]
    x = layers.Average()([*sums, layers.Maximum()(sums)])
    image = layers.SeparableConv2D(3, (2, 2), activation="relu")(layers.Reshape((6, 3, 1))(jets))
    image = layers.DepthwiseConv2D((2, 1), dilation_rate=(2, 1))(image)
    image = layers.AveragePooling2D((2, 2), padding="same")(image)
    steps = layers.TimeDistributed(layers.Dense(2))(layers.Permute((2, 1))(muons))
    joined = [x, layers.Flatten()(image), layers.Flatten()(steps), layers.Dot(1)(sums)]
    return tf.keras.Model([jets, muons], layers.Dense(3)(layers.Concatenate()(joined)))


def test_objects_in_floating_point_are_rounded() -> None:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(4)
    model = objects_in_floating_point()
    x = np.random.default_rng(1).normal(size=(600, 30))
    expected = predict_keras(model, x)
    for bits, off in ((8, 0.1), (14, 2e-3)):
        network = post_training_quantize(model, bits, x)
        apart = np.abs(evaluate(network, x) - expected).max(axis=0) / np.ptp(expected, axis=0)
        assert apart.max() < off
    network = post_training_quantize(model, 5, x)
    events = np.concatenate([x[:100], full_range(network, 100)])
    assert np.array_equal(trace_network(network).predict(events), evaluate(network, events))


def mean_without_a_type() -> Any:
    from tensorflow.keras import layers

    return chain(
        (6, 4), [grid(8), dense(6, 5), relu(6), layers.GlobalAveragePooling1D(), dense(6, 3)]
    )


def test_a_mean_that_nothing_rounds_is_rounded_and_said() -> None:
    model, functions = mean_without_a_type(), FunctionApproximator(8)
    network = from_qkeras(model, functions)
    x = full_range(network)
    (note,) = functions.notes
    assert "divides by no power of two" in note
    ((_, error),) = functions.means.values()
    kernel = next(layer for layer in network.layers[::-1] if isinstance(layer, Dense)).kernel
    off = np.abs(evaluate(network, x) - predict_keras(model, x))
    assert 0 < off.max() < error * np.abs(kernel).sum(axis=0).max() + 1e-6
    assert np.array_equal(trace_network(network).predict(x), evaluate(network, x))


@pytest.mark.parametrize("count", [3, 5, 6, 7, 10, 12, 19, 57])
@pytest.mark.parametrize(("fraction", "behind"), [(4, 4), (2, 7), (6, 1)])
def test_a_mean_of_any_number_is_that_of_keras_when_rounded(
    count: int, fraction: int, behind: int
) -> None:
    """Every sum there is; halves between two values go to the even one."""
    sums = FixedPoint(signed=True, integer=10 - fraction, fraction=fraction)
    x = np.arange(-(2**10), 2**10)[:, None] * sums.step
    division = Division(name="mean", counts=np.full(1, float(count)))
    network = connect(1, sums, rounded_division(division, value_range_of(sums, 1), behind).layers)
    rounding = FixedPoint(signed=True, integer=9 - fraction, fraction=behind)
    quotients = (x.astype(np.float32) / np.float32(count)).astype(np.float64)
    assert np.array_equal(rounding.quantize(evaluate(network, x)), rounding.quantize(quotients))
