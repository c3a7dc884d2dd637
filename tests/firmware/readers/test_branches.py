"""Networks that branch and meet again: every back end against QKeras itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import DataError
from l1distill.firmware.cost import estimate
from l1distill.firmware.emulator import cpp as cpp_emulator
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.fixed_point import BIT, FixedPoint
from l1distill.firmware.network.layers import Dense, Layer, Multiply, Quantize
from l1distill.firmware.network.network import (
    connect,
    evaluate,
    evaluate_first,
    truncate,
    value_ranges,
)
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.keras_graph import read_graph
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.adversarial import adversarial_events
from tests.firmware.emulators import library, simulated
from tests.firmware.networks import convolution, dense, fill, full_range, grid, relu
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "firmware.limit")
MULTIPLY = 7
"""alkaid's code of a multiplication of two variables."""


def residual() -> Any:
    """Two blocks with a way past each, as in ResNet; the second sum is not rounded."""
    import tensorflow as tf

    first = tf.keras.Input((6,))
    x = grid(5)(first)
    inner = dense(4, 6)(relu(5)(dense(4, 5)(x)))
    x = relu(6)(tf.keras.layers.Add(name="past")([x, inner]))
    inner = dense(4, 6)(x)
    x = tf.keras.layers.Add(name="again")([inner, x, x])
    return fill(tf.keras.Model(first, x))


def inception() -> Any:
    """Convolutions of different size side by side, channels after channels; an image out."""
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((6, 3, 1))
    x = grid(4)(first)
    sides = [
        relu(4)(convolution(3, 2, (3, 3), padding="same")(x)),
        relu(5, 2)(convolution(4, 1, (1, 1))(x)),
        x,
    ]
    x = layers.Concatenate(axis=-1)(sides)
    rows = layers.Concatenate(axis=1)([x, layers.MaxPooling2D((2, 1))(x)])
    columns = layers.Concatenate(axis=2)([rows, rows])
    return fill(tf.keras.Model(first, convolution(3, 1, (9, 6))(columns)))


def operations() -> Any:
    """Differences and products of two branches, in a model within the model."""
    import tensorflow as tf
    from tensorflow.keras import layers

    inside = tf.keras.Input((4,))
    left, right = relu(5)(dense(4, 3)(inside)), grid(4)(dense(4, 3)(inside))
    away = layers.Subtract()([left, right])
    product = layers.Multiply()([grid(6)(away), layers.Dropout(0.5)(right)])
    block = tf.keras.Model(inside, [product, left])
    first = tf.keras.Input((4,))
    product, left = block(grid(5)(first))
    joined = layers.Concatenate()([grid(8, 3)(product), left])
    return fill(tf.keras.Model(first, dense(4, 2)(joined)))


def several_ends() -> Any:
    """Results of different shape and from the middle, side by side."""
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((4,))
    x = relu(4)(dense(4, 6)(grid(5)(first)))
    image = layers.Reshape((3, 2, 1))(x)
    image = relu(4)(convolution(3, 2, (2, 1))(image))
    return fill(tf.keras.Model(first, [image, x, dense(4, 1)(layers.Flatten()(image))]))


def half_of_a_model() -> Any:
    """The first of two results of a model within the model; the other leads nowhere."""
    import tensorflow as tf

    inside = tf.keras.Input((4,))
    used, unused = relu(5)(dense(4, 3)(inside)), grid(4)(dense(4, 2)(inside))
    block = tf.keras.Model(inside, [used, unused])
    first = tf.keras.Input((4,))
    return fill(tf.keras.Model(first, block(grid(5)(first))[0]))


def test_results_that_nobody_takes_are_left_out() -> None:
    model = half_of_a_model()
    network = from_qkeras(model)
    x = full_range(network)
    assert len(network.layers) == 2
    assert np.array_equal(evaluate(network, x), predicted(model, x))


MODELS = [residual, inception, operations, several_ends]


def predicted(model: Any, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (n, outputs) what QKeras says, all ends side by side."""
    result = model.predict(x.reshape(len(x), *model.input_shape[1:]), verbose=0)
    ends = result if isinstance(result, list) else [result]
    return np.concatenate([np.asarray(end, np.float64).reshape(len(x), -1) for end in ends], 1)


@pytest.mark.parametrize("make", MODELS)
def test_every_back_end_is_qkeras(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    save(from_qkeras(model), tmp_path / "network.json")
    network = load(tmp_path / "network.json")  # from the file alone
    assert network.sources
    x = np.concatenate([full_range(network), adversarial_events(network, 200, 1).x])
    y = predicted(model, x)
    assert np.ptp(y, axis=0).all(), "constant outputs would prove nothing"
    assert np.array_equal(evaluate(network, x), y)
    emulator = trace_network(network)
    assert np.array_equal(emulator.predict(x), y)
    assert np.array_equal(cpp_emulator.predict(library(emulator, tmp_path / "cpp"), x), y)
    hls.write_hls_project(network, HARDWARE, tmp_path / "hls")
    assert np.array_equal(hls.simulate_hls(tmp_path / "hls", x, network, BOUNDS), y)


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize("make", MODELS)
def test_the_verilog_is_qkeras(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    network = from_qkeras(model)
    x = full_range(network, 150)
    assert np.array_equal(simulated(network, x, tmp_path), predicted(model, x))


@pytest.mark.parametrize("make", MODELS)
def test_no_number_leaves_its_span(make: Callable[[], Any]) -> None:
    network = from_qkeras(make())
    x = network.to_port_values(full_range(network))
    for number, span in enumerate(value_ranges(network)):
        values = evaluate_first(network, number, x)
        assert (values.min(axis=0) >= span.low.ravel()).all()
        assert (values.max(axis=0) <= span.high.ravel()).all()
        assert np.array_equal(values, np.rint(values * 2**span.fraction) / 2**span.fraction)


def test_the_first_layers_of_a_branching_network_are_one_too() -> None:
    network = from_qkeras(residual())
    x = full_range(network)
    past = next(n for n, layer in enumerate(network.layers, 1) if layer.name == "past")
    part = truncate(network, past)
    assert np.array_equal(
        evaluate(part, x), evaluate_first(network, past, network.to_port_values(x))
    )


def test_a_rounding_that_only_one_branch_wants_leaves_the_other_alone(tmp_path: Path) -> None:
    """hls4ml rounds sums on their way out; here somebody else takes them as they are."""
    fixed_type = FixedPoint(signed=True, integer=3, fraction=3)
    coarse = Quantize("coarse", type=FixedPoint(signed=True, integer=3, fraction=0))
    steps: list[Layer] = [Multiply("square"), coarse, Multiply("product")]
    network = connect(3, fixed_type, steps, sources=((0, 0), (1,), (1, 2)))
    x = full_range(network)
    expected = x**2 * coarse.type.quantize(x**2)
    assert np.array_equal(evaluate(network, x), expected)
    assert np.array_equal(trace_network(network).predict(x), expected)
    hls.write_hls_project(network, HARDWARE, tmp_path)
    assert np.array_equal(hls.simulate_hls(tmp_path, x, network, BOUNDS), expected)


@pytest.mark.needs_program("iverilog")
def test_a_product_with_a_bit_is_made_of_gates(tmp_path: Path) -> None:
    fixed_type, grid = (
        FixedPoint(signed=True, integer=3, fraction=2),
        FixedPoint(signed=False, integer=3, fraction=0),
    )
    steps = Dense("steps", kernel=np.eye(3) * 4, bias=np.zeros(3), kernel_type=grid, bias_type=grid)
    sums = Dense(
        "sums",
        kernel=np.array([[3.0, 1, 2], [0, 1, 4], [5, 0, 1]]),
        bias=np.zeros(3),
        kernel_type=grid,
        bias_type=grid,
    )
    layers: list[Layer] = [
        steps,
        Quantize("there", type=BIT),
        sums,
        Multiply("mask"),
        Multiply("both"),
    ]
    network = connect(3, fixed_type, layers, sources=((0,), (1,), (0,), (2, 3), (4, 2)))
    x = full_range(network)
    expected = evaluate(network, x)
    assert np.array_equal(expected, np.where(x > 0, x @ sums.kernel, 0.0))
    emulator = trace_network(network)
    assert MULTIPLY not in {op.opcode for op in emulator.logic.ops}
    assert np.array_equal(emulator.predict(x), expected)
    assert np.array_equal(cpp_emulator.predict(library(emulator, tmp_path / "cpp"), x), expected)
    assert np.array_equal(simulated(network, x, tmp_path / "rtl"), expected)


def in_floating_point() -> Any:
    import tensorflow as tf
    from tensorflow.keras import layers

    first = tf.keras.Input((5, 4, 1))
    x = layers.BatchNormalization()(first)
    x = layers.Conv2D(3, (2, 2), activation="relu", padding="same")(x)
    side = layers.Conv2D(3, (1, 1))(x)
    x = layers.BatchNormalization()(layers.Add()([x, side]))
    x = layers.Concatenate()([x, layers.ReLU()(side)])
    x = layers.Dense(4, activation="relu")(layers.Flatten()(x))
    return fill(tf.keras.Model(first, [layers.Dense(2)(x), x]))


@pytest.mark.parametrize(("bits", "off"), [(8, 0.05), (14, 2e-3)])
def test_branches_in_floating_point_are_rounded(bits: int, off: float) -> None:
    model = in_floating_point()
    x = np.random.default_rng(1).normal(size=(400, 5, 4, 1))
    network = post_training_quantize(model, bits, x)
    flat, expected = x.reshape(400, -1), predicted(model, x)
    apart = np.abs(evaluate(network, flat) - expected).mean(axis=0) / np.ptp(expected, axis=0)
    assert apart.max() < off
    few = flat[:50]
    assert np.array_equal(trace_network(network).predict(few), evaluate(network, few))


def test_branches_side_by_side_delay_as_the_longer_one() -> None:
    import tensorflow as tf

    first = tf.keras.Input((6,))
    start = grid(5)(first)
    long, short = dense(4, 4)(grid(5)(dense(4, 6)(start))), dense(4, 4)(start)
    both = fill(tf.keras.Model(first, tf.keras.layers.Add()([long, short])))
    alone = tf.keras.Model(first, long)
    whole, part = (estimate(from_qkeras(model), 3.5) for model in (both, alone))
    one_level = estimate(from_qkeras(tf.keras.Model(first, short)), 3.5)
    assert part.latency_ns_estimate < whole.latency_ns_estimate
    assert whole.latency_ns_estimate < part.latency_ns_estimate + one_level.latency_ns_estimate
    assert whole.lut_estimate > part.lut_estimate + one_level.lut_estimate


def test_a_graph_is_cut_where_it_branches() -> None:
    graph = read_graph(operations())
    kinds = [[type(layer).__name__ for layer in segment.layers] for segment in graph.segments]
    assert kinds[0] == ["QActivation"]
    assert sorted(kinds[1:3]) == [["QDense", "QActivation"]] * 2
    assert kinds[3] == ["Subtract", "QActivation"]
    assert kinds[-1] == ["Concatenate", "QDense"]
    assert all(
        source < number
        for number, segment in enumerate(graph.segments)
        for source in segment.sources
    )


def an_unknown_function() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((4,))
    return tf.keras.Model(first, tf.math.exp(grid(5)(first)))


def events_side_by_side() -> Any:
    import tensorflow as tf

    x = grid(5)(first := tf.keras.Input((4,)))
    return tf.keras.Model(first, tf.reshape(x, (-1, 8)))


def steps_of_a_convolution() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((3, 4, 2))
    steps = tf.keras.layers.TimeDistributed(tf.keras.layers.Conv1D(2, 2), name="steps")
    return tf.keras.Model(first, steps(grid(5)(first)))


def products_of_matrices() -> Any:
    import tensorflow as tf

    x = grid(5)(first := tf.keras.Input((3, 4)))
    return tf.keras.Model(first, tf.keras.layers.Dot(2, name="dot")([x, x]))


def the_input_itself() -> Any:
    import tensorflow as tf

    first = tf.keras.Input((4,))
    return tf.keras.Model(first, tf.keras.layers.Add()([first, grid(5)(first)]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (an_unknown_function, "the function math.exp is not supported; use layers"),
        (events_side_by_side, "mixes events"),
        (steps_of_a_convolution, r"layer steps \(TimeDistributed\): holds a Conv1D"),
        (products_of_matrices, r"layer dot \(Dot\): .*two vectors"),
        (the_input_itself, "the inputs have no fixed-point type"),
    ],
)
def test_what_does_not_work_is_refused_by_name(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        from_qkeras(make())
