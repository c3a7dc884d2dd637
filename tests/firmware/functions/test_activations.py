"""Sigmoid and tanh of straight pieces, against numpy, in every back end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.compression.ptq import post_training_quantize
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Layer, Reshape
from l1distill.firmware.network.network import Network, connect, evaluate
from l1distill.firmware.network.value_range import value_range_of
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.comparison import compare
from tests.firmware.emulators import simulated
from tests.firmware.networks import chain as model_of
from tests.firmware.networks import dense, full_range, grid, outputs
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "firmware.limit")
WANTED = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh}
INPUTS = {
    "narrow": FixedPoint(signed=True, integer=2, fraction=5),
    "wide": FixedPoint(signed=True, integer=6, fraction=3),
    "fine": FixedPoint(signed=True, integer=3, fraction=13),
    "positive": FixedPoint(signed=False, integer=3, fraction=4),
}


@pytest.mark.parametrize("fixed_type", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("function", WANTED)
def test_the_stated_error_holds_for_every_input(function: str, fixed_type: FixedPoint) -> None:
    stated = []
    for bits, pieces in ((6, 8), (8, 16), (12, 64)):
        functions = FunctionApproximator(bits, pieces)
        layers = functions.layers("last", function, value_range_of(fixed_type, 1))
        x = np.arange(fixed_type.low, fixed_type.high + fixed_type.step, fixed_type.step)[:, None]
        result = evaluate(connect(1, fixed_type, layers), x)
        off = np.abs(result - WANTED[function](x)).max()
        stated.append(functions.errors["last"])
        assert off <= stated[-1] + 1e-12
        assert stated[-1] < 1.2 * off, "stated too carefully to be of use"
        assert functions.notes == (
            f"Layer last is made of straight pieces: it is off by at most {stated[-1]:.2g}.",
        )
        assert np.unique(result).size > 4
    assert stated[0] < 0.06
    assert stated[1] < 0.02
    assert stated[2] < 0.002


def shaped(shape: tuple[int, ...], function: str) -> Network:
    """A function of each number of a vector, a sequence or an image."""
    fixed_type = FixedPoint(signed=True, integer=3, fraction=3)
    tensor = value_range_of(fixed_type, shape)
    first: list[Layer] = [Reshape("events", shape=shape)] if len(shape) > 1 else []
    return connect(
        int(np.prod(shape)),
        fixed_type,
        [*first, *FunctionApproximator(6, 8).layers("last", function, tensor)],
    )


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 1, 3)], ids=str)
def test_a_tensor_of_any_shape_is_taken(shape: tuple[int, ...]) -> None:
    network = shaped(shape, "tanh")
    x = full_range(network, 200)
    result = evaluate(network, x)
    assert np.abs(result - np.tanh(x)).max() < 0.06
    assert np.array_equal(trace_network(network).predict(x), result)


@pytest.mark.parametrize(("shape", "function"), [((3,), "sigmoid"), ((2, 2), "tanh")], ids=str)
def test_the_c_simulation_is_exact(shape: tuple[int, ...], function: str, tmp_path: Path) -> None:
    network = shaped(shape, function)
    x = full_range(network, 200)
    hls.write_hls_project(network, HARDWARE, tmp_path)
    result = hls.simulate_hls(tmp_path, x, network, BOUNDS)
    assert compare(evaluate(network, x), result).mismatches == 0


def floats() -> Any:
    from tensorflow.keras import layers

    body = [layers.Conv1D(3, 2, activation="tanh"), layers.Flatten()]
    body += [layers.Dense(4), layers.BatchNormalization(), layers.Activation("sigmoid")]
    return model_of((5, 2), [*body, layers.Dense(2, activation="sigmoid")])


def test_a_model_in_floating_point_has_its_functions() -> None:
    model, x = floats(), np.random.default_rng(3).normal(size=(600, 10))
    expected = outputs(model, x)
    off = []
    for bits, pieces in ((6, 8), (12, 48)):
        functions = FunctionApproximator(bits, pieces)
        network = post_training_quantize(model, bits, x, functions=functions)
        result = evaluate(network, x)
        off.append(float(np.abs(result - expected).max()))
        assert len(functions.errors) == 3
        assert network.output_type.hls.startswith(f"ufixed<{bits},0")
    assert np.ptp(expected) > 0.1
    assert off[0] < 0.15
    assert off[1] < 0.01
    network = post_training_quantize(model, 6, x, functions=FunctionApproximator(6, 8))
    assert np.array_equal(trace_network(network).predict(x), evaluate(network, x))


def test_a_qkeras_model_has_its_functions() -> None:
    from qkeras import QActivation, quantized_sigmoid, quantized_tanh
    from tensorflow.keras import layers

    real = QActivation(quantized_tanh(6, use_real_tanh=True), name="inner")
    last = QActivation(quantized_sigmoid(5, use_real_sigmoid=True), name="last")
    body = [grid(6), dense(5, 4), real, dense(5, 3), layers.Activation("sigmoid", name="middle")]
    model = model_of((4,), [*body, dense(6, 2), last])
    functions = FunctionApproximator(10, 64)
    network = from_qkeras(model, functions)
    x = full_range(network)
    expected, result = outputs(model, x), evaluate(network, x)
    assert list(functions.errors) == ["inner", "middle", "last"]
    assert network.output_type.bits == 5
    assert np.ptp(expected) > 0.3
    assert np.abs(result - expected).max() <= 2.0**-5  # the least of what can differ
    assert np.mean(result != expected) < 0.05


@pytest.mark.needs_program("iverilog")
def test_the_verilog_is_exact(tmp_path: Path) -> None:
    from tensorflow.keras import layers

    body = [grid(5), dense(4, 3), layers.Activation("tanh"), dense(4, 2)]
    network = from_qkeras(
        model_of((4,), [*body, layers.Activation("sigmoid")]), FunctionApproximator(6, 8)
    )
    x = full_range(network)
    result = simulated(network, x, tmp_path)
    assert np.ptp(result) > 0.3
    assert np.array_equal(result, evaluate(network, x))
