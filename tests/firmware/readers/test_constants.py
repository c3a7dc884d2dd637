"""Layers whose weights are all zero are constants, in every back end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.compression.ptq import post_training_quantize
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from tests.firmware.emulators import simulated
from tests.firmware.networks import (
    chain,
    convolution,
    dense,
    full_range,
    grid,
    outputs,
    relu,
)
from tests.firmware.students import HARDWARE


def emptied(model: Any, number: int, biases: bool = False) -> Any:
    """Sets the weights of the layer of that number to zero, counted among those with weights."""
    layer = [layer for layer in model.layers if layer.weights][number]
    layer.set_weights([w * (not biases and w.ndim == 1) for w in layer.get_weights()])
    return model


def last() -> Any:
    return emptied(chain((4,), [grid(6), dense(5, 4), relu(6), dense(5, 3)]), -1)


def first() -> Any:
    return emptied(chain((4,), [grid(6), dense(5, 4), relu(6), dense(5, 3), relu(6)]), 0)


def image() -> Any:
    from tensorflow.keras import layers

    body = [grid(5), convolution(4, 2, (2, 2)), relu(5), layers.Flatten(), dense(5, 2)]
    return emptied(chain((3, 3, 1), body), 0)


def scaled() -> Any:
    from qkeras import QDense, quantized_bits

    auto = quantized_bits(4, 0, alpha="auto")
    body = [grid(6), QDense(4, kernel_quantizer=auto, bias_quantizer=auto), relu(6)]
    return emptied(chain((4,), [*body, dense(5, 2)]), 0, biases=True)


def everything() -> Any:
    model = chain((4,), [grid(6), dense(5, 4), relu(6), dense(5, 3), relu(6)])
    return emptied(emptied(model, 0, biases=True), 1, biases=True)


def branch() -> Any:
    """One of two heads is a constant."""
    model = chain((4,), [grid(6), dense(5, 4), relu(6)], [dense(5, 1), dense(5, 2)])
    return emptied(model, 1)


def read(make: Callable[[], Any]) -> tuple[Network, Any, Any]:
    model = make()
    network = from_qkeras(model)
    x = full_range(network, 60)
    return network, x, outputs(model, x)


@pytest.mark.parametrize("make", [last, first, image, scaled, everything, branch])
def test_zeros_are_constants(make: Callable[[], Any]) -> None:
    network, x, y = read(make)
    assert np.array_equal(evaluate(network, x), y)
    emulator = trace_network(network)
    assert np.array_equal(emulator.predict(x), y)
    assert emulator.is_constant == (make is not branch)
    assert emulator.is_constant == (not np.ptp(y, axis=0).any())


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize("make", [last, everything])
def test_the_verilog_has_constants(make: Callable[[], Any], tmp_path: Path) -> None:
    network, x, y = read(make)
    assert np.array_equal(simulated(network, x, tmp_path), y)


def test_the_c_simulation_rounds_zeros(tmp_path: Path) -> None:
    network, x, y = read(everything)
    hls.write_hls_project(network, HARDWARE, tmp_path)
    result = hls.simulate_hls(tmp_path, x, network, TimeLimit(300.0, "firmware.limit"))
    assert np.array_equal(result, y)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_zeros_in_floating_point(number: int) -> None:
    from tensorflow.keras import layers

    body = [layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(3, "sigmoid")]
    model = emptied(chain((4,), [*body, layers.Dense(2)]), number, biases=number == 1)
    x = np.random.default_rng(1).normal(size=(200, 4))
    network = post_training_quantize(model, 10, x)
    assert np.abs(evaluate(network, x) - model(x)).max() < 0.05
    assert np.array_equal(trace_network(network).predict(x), evaluate(network, x))
