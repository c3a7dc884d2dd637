"""Probabilities from tables: near those of a softmax, and the same bits in every back end."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import DataError
from l1distill.firmware.emulator.cpp import predict
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.functions.softmax import append_softmax
from l1distill.firmware.hls.project import simulate_hls, write_hls_project
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Lookup
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from tests.firmware.emulators import TIME_LIMIT, library, simulated
from tests.firmware.networks import chain, dense, full_range, grid, outputs
from tests.firmware.students import HARDWARE

KIND = FixedPoint(signed=True, integer=4, fraction=4)


def network_of(count: int, bits: int) -> tuple[Network, float]:
    builder = Builder(count, KIND)
    builder.add(Dense.exact("logits", 1.25 * np.eye(count), np.arange(count) / 4))
    _, error = append_softmax(builder, builder.last, "softmax", bits)
    return builder.network(), error


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def events(network: Network, count: int) -> NDArray[np.float64]:
    near = np.random.default_rng(1).normal(0, 2, (2000, count))
    return network.to_port_values(np.concatenate([full_range(network, 1000), near]))


@pytest.mark.parametrize(("count", "bits"), [(2, 10), (3, 8), (5, 6), (10, 8), (40, 12)])
def test_no_probability_is_further_off_than_is_said(count: int, bits: int) -> None:
    network, error = network_of(count, bits)
    x = events(network, count)
    result, expected = evaluate(network, x), softmax(1.25 * x + np.arange(count) / 4)
    assert network.output_type.hls == f"ufixed<{bits},0,RND_CONV,SAT>"
    off = np.abs(result - expected).max()
    assert 2.0**-bits / 2 < off <= error
    assert error < 24 * 2.0**-bits or count == 40
    sizes = [layer.table.size for layer in network.layers if isinstance(layer, Lookup)]
    assert max(sizes) <= 4096


def test_every_back_end_gives_the_same_bits(tmp_path: Path) -> None:
    network, _ = network_of(3, 7)
    x = events(network, 3)
    expected = evaluate(network, x)
    save(network, tmp_path / "network.json")
    assert np.array_equal(evaluate(load(tmp_path / "network.json"), x), expected)
    emulator = trace_network(network)
    assert np.array_equal(emulator.predict(x), expected)
    assert np.array_equal(predict(library(emulator, tmp_path / "cpp"), x), expected)
    write_hls_project(network, HARDWARE, tmp_path / "hls")
    assert np.array_equal(simulate_hls(tmp_path / "hls", x, network, TIME_LIMIT), expected)


@pytest.mark.needs_program("iverilog")
def test_the_verilog_is_exact(tmp_path: Path) -> None:
    network, _ = network_of(3, 7)
    x = events(network, 3)
    assert np.array_equal(simulated(network, x, tmp_path), evaluate(network, x))


def test_both_kinds_of_models_end_in_probabilities() -> None:
    from tensorflow.keras import layers

    x = np.random.default_rng(3).normal(size=(600, 6))
    model = chain((6,), [layers.Dense(8, "relu"), layers.Dense(4, "softmax", name="last")])
    functions = FunctionApproximator(10, softmax="table")
    network = post_training_quantize(model, 10, x, functions=functions)
    difference = np.abs(evaluate(network, x) - outputs(model, x))
    assert difference.mean() < 0.004
    assert f"off by at most {functions.table_errors['last_activation']:.2g}" in functions.notes[0]

    body = [grid(6), dense(5, 4), grid(6, 3)]
    whole = chain((5,), [*body, layers.Softmax(name="last")])
    functions = FunctionApproximator(8, softmax="table")
    exact = from_qkeras(whole, functions)
    x = full_range(exact)
    off = np.abs(evaluate(exact, x) - outputs(whole, x)).max()
    assert 0 < off <= functions.table_errors["last"]


def test_a_table_is_not_trained_further() -> None:
    from l1distill.compression.qat_layers import keras_layers

    network, _ = network_of(2, 6)
    table = next(layer for layer in network.layers if isinstance(layer, Lookup))
    with pytest.raises(DataError, match="tables have no layer in Keras"):
        keras_layers(table)
