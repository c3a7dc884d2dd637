import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from l1distill.firmware.compiler import find_compiler
from l1distill.firmware.emulator.cpp import LOGIC, predict, write_cpp_emulator
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from tests.firmware.conftest import Student
from tests.firmware.emulators import library, small_network
from tests.firmware.networks import NETWORKS, full_range
from tests.firmware.rtl.test_verilog import differing, files

Students = Callable[[str], Student]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of the small network."""
    return library(trace_network(small_network()), tmp_path_factory.mktemp("small"))


def anything(network: Network, events: int = 600) -> np.ndarray:
    """Numbers on the grid, between its steps, half-way, beyond its ends, and absurd ones."""
    rng = np.random.default_rng(11)
    kind = network.input_type
    x = rng.normal(0, kind.high, (events, network.inputs)) * network.input_units
    halves = rng.integers(-40, 40, (events // 3, network.inputs)) + 0.5
    x[: events // 3] = halves * kind.step * network.input_units
    absurd = [np.inf, -np.inf, 1e300, -1e300, 5e-324, -5e-324, 0.0, -0.0]
    x[-len(absurd) :, 0] = absurd
    return np.concatenate([full_range(network), x])


@pytest.mark.parametrize("name", ["two_layers", "saturates"])
def test_students_give_the_numbers_of_the_network(
    student: Students, tmp_path: Path, name: str
) -> None:
    network = student(name).network
    built = library(trace_network(network), tmp_path)
    x = anything(network)
    found = predict(built, x)
    assert np.array_equal(found, evaluate(network, x))
    assert len(np.unique(found)) > 5
    assert not np.signbit(found[found == 0]).any()


@pytest.mark.parametrize(("name", "bits"), [("image", 4), ("slope", 8), ("dense", 16)])
def test_any_layer_at_any_width(tmp_path: Path, name: str, bits: int) -> None:
    network = from_qkeras(NETWORKS[name](bits))
    emulator = trace_network(network)
    built = library(emulator, tmp_path)
    x = anything(network)
    found = predict(built, x)
    assert np.array_equal(found, evaluate(network, x))
    assert np.array_equal(found, emulator.predict(x))
    assert len(np.unique(found, axis=0)) > 5


def test_inputs_that_round_down_and_wrap(tmp_path: Path) -> None:
    kind = FixedPoint(signed=True, integer=2, fraction=3, rounding="TRN", overflow="WRAP")
    wide = FixedPoint(signed=True, integer=8, fraction=6)
    layer = Dense(
        "sum",
        kernel=np.array([[0.5], [-0.75]]),
        bias=np.array([0.25]),
        kernel_type=wide,
        bias_type=wide,
    )
    network = Network(
        inputs=2, input_type=kind, layers=(layer,), output_type=wide, input_exponents=(3, -1)
    )
    built = library(trace_network(network), tmp_path)
    x = anything(network)
    x = x[np.isfinite(x).all(axis=1) & (np.abs(x) < 1e15).all(axis=1)]
    assert np.array_equal(predict(built, x), evaluate(network, x))
    assert np.isnan(predict(built, np.array([[np.inf, 0.0]]))).all()


def test_nan_spoils_its_own_event_alone(small: Path) -> None:
    network = small_network()
    x = full_range(network, 40)
    expected = evaluate(network, x)
    x[[3, 17], [0, 2]] = np.nan
    expected[[3, 17]] = np.nan
    assert np.array_equal(predict(small, x), expected, equal_nan=True)
    assert predict(small, x[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match="shape"):
        predict(small, x[:, :3])


def test_codes_are_taken_as_a_bus_takes_them(small: Path) -> None:
    network = small_network()
    loaded = ctypes.CDLL(str(small))
    loaded.l1distill_input_unit.restype = loaded.l1distill_output_unit.restype = ctypes.c_double
    units = [loaded.l1distill_input_unit(i) for i in range(loaded.l1distill_inputs())]
    assert units == (network.input_units * network.input_type.step).tolist()
    assert loaded.l1distill_output_unit() == network.output_type.step
    x = full_range(network, 100)
    codes = network.input_type.codes(network.to_port_values(x))
    expected = network.output_type.codes(evaluate(network, x))
    above = np.random.default_rng(0).integers(-4, 5, codes.shape) << network.input_type.bits
    for given in (codes, codes + above):
        given = np.ascontiguousarray(given)
        found = np.empty_like(expected)
        pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (given, found))
        loaded.l1distill_predict_codes(*pointers, ctypes.c_size_t(len(given)))
        assert np.array_equal(found, expected)


def test_operations_that_networks_do_not_need_yet(tmp_path: Path) -> None:
    """Products, bitwise operations and reductions, against alkaid's own interpreter."""
    from alkaid.trace import FVArray, HWConfig
    from alkaid.trace import trace as collect

    kind = FixedPoint(signed=True, integer=2, fraction=3)
    shape = (4,)
    inputs = FVArray.from_kif(
        np.full(shape, 1), np.full(shape, 2), np.full(shape, 3), HWConfig(1, -1, -1), 0.0, {}
    )
    a, b, c, d = np.asarray(inputs)
    positive = c.relu(1, 2)
    values = [a * b, a & d, a | b, c ^ d, ~a, positive * a, -b, positive.unary_bit_op("all")]
    values += [d.unary_bit_op("any"), a.msb_mux(b, c * 0.25), positive.msb_mux(a, d)]
    logic = collect(inputs, FVArray(np.array(values), inputs.solver_options, hwconf=inputs.hwconf))
    opcodes = {
        (op.opcode, *op.data[-1:]) if op.opcode in (9, 10) else op.opcode for op in logic.ops
    }
    assert {7, 6, (9, 0), (9, 1), (9, 2), (10, 0), (10, 1), (10, 2)} <= opcodes
    emulator = Emulator(4, kind, (), FixedPoint(signed=True, integer=6, fraction=8), logic)
    codes = np.random.default_rng(1).integers(-32, 32, (500, 4))
    x = codes * kind.step
    assert np.array_equal(predict(library(emulator, tmp_path), x), emulator.predict(x))


def test_the_interface_is_plain_c(tmp_path: Path) -> None:
    write_cpp_emulator(trace_network(small_network()), tmp_path)
    (tmp_path / "user.c").write_text(
        '#include "l1distill_emulator.h"\n'
        "double first(const double *x, double *y)\n"
        "{ l1distill_predict(x, y, 1); return y[0] + l1distill_outputs(); }\n"
    )
    strict = ["-x", "c", "-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Werror"]
    command = [find_compiler(), *strict, "-fsyntax-only", "user.c"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_the_same_logic_gives_the_same_sources(student: Students, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_cpp_emulator(trace_network(student("two_layers").network), tmp_path / name)
    assert differing(tmp_path / "one", tmp_path / "two") == set()
    other = trace_network(student("default").network)
    write_cpp_emulator(other, tmp_path / "other")
    changed = {
        name
        for name, content in files(tmp_path / "one").items()
        if files(tmp_path / "other")[name] != content
    }
    assert changed == {LOGIC}


def test_constant_outputs_need_no_operation(tmp_path: Path) -> None:
    kind = FixedPoint(signed=True, integer=2, fraction=3)
    kernel = np.array([[0.5, 0.0, 0.0], [0.25, 0.0, 0.0]])
    layer = Dense(
        "sums", kernel=kernel, bias=np.array([0.0, 0.0, 1.5]), kernel_type=kind, bias_type=kind
    )
    network = Network(
        inputs=2, input_type=kind, layers=(layer, Quantize("out", type=kind)), output_type=kind
    )
    x = full_range(network, 60)
    assert np.array_equal(
        predict(library(trace_network(network), tmp_path), x), evaluate(network, x)
    )
