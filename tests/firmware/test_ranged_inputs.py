"""A student whose inputs have ranges of their own, and ports without a sign: every back end."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.firmware.emulator.cpp import predict
from l1distill.firmware.functions.port_conversion import IntegerPort, to_codes, with_integer_ports
from l1distill.firmware.hls.project import simulate_hls, write_hls_project
from l1distill.firmware.network.network import Network, evaluate, narrow_ports
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.models.students import input_limits, quantize_inputs
from l1distill.training.determinism import make_deterministic
from tests.firmware.emulators import TIME_LIMIT, library, simulated
from tests.firmware.students import HARDWARE

SETTINGS = StudentSettings(layers=[4], input_bits=8)
EXPONENTS = (6, 1, 3, 2)
SIGNED = (False, True, False, True)


@pytest.fixture(scope="module")
def student() -> keras.Model:
    make_deterministic(4)
    return build_student(SETTINGS, len(SIGNED), 1, EXPONENTS)


@pytest.fixture(scope="module")
def network(student: keras.Model) -> Network:
    return narrow_ports(from_qkeras(student), SIGNED)


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    """Features as a detector gives them: far beyond the ranges too, and momenta never negative."""
    x = np.random.default_rng(1).normal(size=(600, 4)) * 2.0 ** np.array(EXPONENTS)
    x[:, ~np.array(SIGNED)] = np.abs(x[:, ~np.array(SIGNED)])
    x[:20] *= 100.0
    x[20:60] = 0.0
    return x.astype(np.float32)


def test_ports_of_momenta_have_no_sign_bit(network: Network) -> None:
    assert [port.bits for port in network.ports] == [7, 8, 7, 8]
    assert [port.signed for port in network.ports] == list(SIGNED)
    _, high = input_limits(SETTINGS, 4, EXPONENTS)
    np.testing.assert_array_equal([port.high for port in network.ports] * network.input_units, high)
    assert narrow_ports(network, (True,) * 4) is network


def test_a_port_with_a_step_has_no_bits_below_it(
    student: keras.Model, network: Network, features: NDArray[np.float32], tmp_path: Path
) -> None:
    """Of the last input every number is a multiple of 1: a charge, an id."""
    narrow = narrow_ports(from_qkeras(student), SIGNED, (None, None, None, 1.0))
    assert [port.bits for port in narrow.ports[:3]] == [port.bits for port in network.ports[:3]]
    assert narrow.ports[3].step * 2.0 ** EXPONENTS[3] == 1.0
    assert narrow.ports[3].high * 2.0 ** EXPONENTS[3] == 2.0 ** EXPONENTS[3] - 1.0
    x = features.copy()
    x[:, 3] = np.clip(np.round(x[:, 3]), -(2.0 ** EXPONENTS[3]), 2.0 ** EXPONENTS[3] - 1.0)
    expected = student.predict(x, verbose=0).astype(np.float64)
    np.testing.assert_array_equal(evaluate(narrow, x), expected)
    emulator = trace_network(narrow)
    np.testing.assert_array_equal(emulator.predict(x), expected)
    np.testing.assert_array_equal(predict(library(emulator, tmp_path / "cpp"), x), expected)
    on_grid = quantize_inputs(student).predict(x, verbose=0).astype(np.float64)
    np.testing.assert_array_equal(simulated(narrow, on_grid, tmp_path / "rtl"), expected)


def test_every_back_end_computes_what_qkeras_does(
    student: keras.Model, network: Network, features: NDArray[np.float32], tmp_path: Path
) -> None:
    expected = student.predict(features, verbose=0).astype(np.float64)
    assert len(np.unique(expected)) > 50
    x = quantize_inputs(student).predict(features, verbose=0).astype(np.float64)
    np.testing.assert_array_equal(evaluate(network, x), expected)
    np.testing.assert_array_equal(evaluate(network, features), expected)
    emulator = trace_network(network)
    np.testing.assert_array_equal(emulator.predict(features), expected)
    np.testing.assert_array_equal(predict(library(emulator, tmp_path / "cpp"), features), expected)
    np.testing.assert_array_equal(simulated(network, x, tmp_path / "rtl"), expected)
    write_hls_project(network, HARDWARE, tmp_path / "hls")
    found = simulate_hls(tmp_path / "hls", x, network, TIME_LIMIT)
    np.testing.assert_array_equal(found, expected)


def test_a_port_without_sign_takes_what_is_negative_for_zero(network: Network) -> None:
    negative = np.array([[-3.0, 0.5, -8.0, 1.0]])
    zero = np.array([[0.0, 0.5, 0.0, 1.0]])
    emulator = trace_network(network)
    np.testing.assert_array_equal(emulator.predict(negative), emulator.predict(zero))
    np.testing.assert_array_equal(evaluate(network, negative), emulator.predict(zero))


def test_integer_ports_stand_in_front_of_it(
    student: keras.Model, network: Network, features: NDArray[np.float32], tmp_path: Path
) -> None:
    """Codes of 0.5 GeV and of a circle; also beyond the range of the network's own inputs."""
    ports = [
        IntegerPort(name="pT", bits=9, signed=False, gain=0.5, offset=0.0),
        IntegerPort(name="eta", bits=9, signed=True, gain=0.0435, offset=0.0),
        IntegerPort(name="pT", bits=9, signed=False, gain=0.125, offset=0.0),
        IntegerPort(name="phi", bits=9, signed=False, gain=2 * np.pi / 500, offset=0.0, period=500),
    ]
    ported = with_integer_ports(network, ports)
    codes = to_codes(features.astype(np.float64), ports)
    counted = np.where(codes[:, 3:] >= 250, codes[:, 3:] - 500, codes[:, 3:])
    physical = np.hstack([codes[:, :3], counted]) * [port.gain for port in ports]
    expected = student.predict(physical.astype(np.float32), verbose=0)
    np.testing.assert_array_equal(evaluate(ported.network, codes), expected)
    np.testing.assert_array_equal(trace_network(ported.network).predict(codes), expected)
    found = simulated(ported.network, codes, tmp_path)
    np.testing.assert_array_equal(found, expected)
