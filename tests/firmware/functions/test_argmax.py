"""The largest of several numbers, against numpy, in every back end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import DataError
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.functions.argmax import argmax_layers
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.fixed_point import FixedPoint
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


def network_of(numbers: int, fixed_type: FixedPoint) -> Network:
    return connect(numbers, fixed_type, argmax_layers("class", value_range_of(fixed_type, numbers)))


def one_hot_argmax(values: Any) -> Any:
    return np.eye(values.shape[1])[np.argmax(values, axis=1)]


@pytest.mark.parametrize("numbers", [2, 3, 4])
@pytest.mark.parametrize(
    "fixed_type",
    [
        FixedPoint(signed=True, integer=1, fraction=1),
        FixedPoint(signed=False, integer=3, fraction=-1),
    ],
    ids=str,
)
def test_the_first_of_the_largest_is_taken(numbers: int, fixed_type: FixedPoint) -> None:
    values = np.arange(fixed_type.low, fixed_type.high + fixed_type.step, fixed_type.step)
    x = np.stack(np.meshgrid(*[values] * numbers), axis=-1).reshape(-1, numbers)
    network = network_of(numbers, fixed_type)
    assert np.array_equal(evaluate(network, x), one_hot_argmax(x))
    assert np.array_equal(trace_network(network).predict(x), one_hot_argmax(x))
    assert network.output_type.bits == 1


def test_the_c_simulation_is_exact(tmp_path: Path) -> None:
    network = network_of(5, FixedPoint(signed=True, integer=2, fraction=2))
    x = full_range(network)
    hls.write_hls_project(network, HARDWARE, tmp_path)
    result = hls.simulate_hls(tmp_path, x, network, BOUNDS)
    assert compare(one_hot_argmax(x), result).mismatches == 0


@pytest.mark.needs_program("iverilog")
def test_the_verilog_is_exact(tmp_path: Path) -> None:
    network = network_of(4, FixedPoint(signed=True, integer=1, fraction=2))
    x = full_range(network)
    assert np.array_equal(simulated(network, x, tmp_path), one_hot_argmax(x))


def softmax(inside: bool, middle: bool = False) -> Any:
    from tensorflow.keras import layers

    last = [layers.Dense(4, "softmax", name="last")]
    if not inside:
        last = [layers.Dense(4), layers.Softmax(name="last")]
    return model_of((6,), [layers.Dense(8, "relu"), *last, *[layers.Dense(3)] * middle])


@pytest.mark.parametrize("inside", [True, False])
def test_a_model_in_floating_point_says_its_class(inside: bool) -> None:
    model, x = softmax(inside), np.random.default_rng(3).normal(size=(600, 6))
    functions = FunctionApproximator(10, softmax="argmax")
    network = post_training_quantize(model, 10, x, functions=functions)
    result, expected = evaluate(network, x), one_hot_argmax(outputs(model, x))
    assert expected.any(axis=0).sum() > 2
    assert (result.sum(axis=1) == 1).all()
    assert np.mean((result == expected).all(axis=1)) > 0.99
    assert "gives a 1 for the largest number" in functions.notes[0]
    assert np.array_equal(trace_network(network).predict(x), result)


def test_a_qkeras_model_says_its_class() -> None:
    from tensorflow.keras import layers

    body = [grid(6), dense(5, 4), grid(6, 3)]
    plain = model_of((5,), body)
    whole = model_of((5,), [*body, layers.Activation("softmax")])
    network = from_qkeras(whole, FunctionApproximator(8, softmax="argmax"))
    x = full_range(network)
    logits = outputs(plain, x)
    assert (np.sort(logits)[:, -1] == np.sort(logits)[:, -2]).any(), "ties are to be met"
    assert np.array_equal(evaluate(network, x), one_hot_argmax(logits))


def test_what_no_bits_can_stand_for_is_refused_by_name() -> None:
    x = np.ones((4, 6))
    with pytest.raises(DataError, match=r"layer last \(Softmax\): .*precision.softmax=argmax"):
        post_training_quantize(softmax(inside=False), 8, x)
    with pytest.raises(DataError, match=r"layer last \(Dense\): .* before the end"):
        model = softmax(inside=True, middle=True)
        post_training_quantize(model, 8, x, functions=FunctionApproximator(8, softmax="argmax"))
