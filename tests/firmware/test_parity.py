"""QKeras, numpy, alkaid's emulator, hls4ml's C simulation, the simulated Verilog: all the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.layers import Dense
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl.top import Buses, write_top
from l1distill.firmware.rtl.verilog import trace_network, write_rtl
from l1distill.firmware.verification.comparison import compare
from tests.firmware.conftest import Student
from tests.firmware.networks import NETWORKS, full_range, outputs
from tests.firmware.students import CASES, HARDWARE, scores

BOUNDS = TimeLimit(300.0, "firmware.limit")
COMPILED = (
    "default",
    "2_bits",
    "10_bits",
    "saturates",
    "no_trailing_activation",
    "coarser_than_one",
)
Students = Callable[[str], Student]


@pytest.mark.parametrize("name", CASES)
def test_numpy_is_qkeras(student: Students, name: str) -> None:
    made = student(name)
    assert compare(made.y, evaluate(made.network, made.x)[:, 0]).mismatches == 0
    assert np.unique(made.y).size > 3, "a constant output would prove nothing"


@pytest.mark.parametrize("name", CASES)
def test_emulator_is_qkeras(student: Students, name: str) -> None:
    made = student(name)
    assert compare(made.y, trace_network(made.network).predict(made.x)[:, 0]).mismatches == 0


@pytest.mark.parametrize("name", COMPILED)
def test_c_simulation_is_qkeras(student: Students, name: str, tmp_path: Path) -> None:
    made = student(name)
    hls.write_hls_project(made.network, HARDWARE, tmp_path)
    simulated = hls.simulate_hls(tmp_path, made.x, made.network, BOUNDS)
    assert compare(made.y, simulated[:, 0]).mismatches == 0


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        pytest.param("default", "verilator", marks=pytest.mark.needs_program("verilator")),
        pytest.param("default", "iverilog", marks=pytest.mark.needs_program("iverilog")),
        pytest.param("2_bits", "iverilog", marks=pytest.mark.needs_program("iverilog")),
    ],
)
def test_verilog_is_qkeras(student: Students, name: str, tool: str, tmp_path: Path) -> None:
    made = student(name)
    figures = write_rtl(trace_network(made.network), HARDWARE, 3.0, tmp_path)
    rtlsim.write_testbench(figures, tmp_path)
    simulator = rtlsim.find_simulator(tool)  # type: ignore[arg-type]
    assert simulator is not None
    assert simulator.name == tool
    x, y = made.x[:300].astype(np.float64), made.y[:300]
    simulated = rtlsim.simulate_rtl(tmp_path, figures, x, simulator, BOUNDS)
    assert compare(y, simulated[:, 0]).mismatches == 0


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize("tool", ["iverilog"])
def test_a_wrong_latency_is_seen(student: Students, tool: str, tmp_path: Path) -> None:
    made = student("default")
    figures = write_rtl(trace_network(made.network), HARDWARE, 3.0, tmp_path)
    early = replace(figures, latency_cycles=figures.latency_cycles - 1)
    rtlsim.write_testbench(early, tmp_path)
    simulator = rtlsim.find_simulator(tool)  # type: ignore[arg-type]
    assert simulator is not None
    x = made.x[:50].astype(np.float64)
    simulated = rtlsim.simulate_rtl(tmp_path, early, x, simulator, BOUNDS)
    assert np.isnan(simulated).all()  # out_valid comes a cycle later than expected
    buses = (figures.input_port, figures.output_port, figures.top_input, figures.top_output)
    write_top(early.latency_cycles, Buses(*buses), tmp_path)  # out_valid says what is not so
    simulated = rtlsim.simulate_rtl(tmp_path, early, x, simulator, BOUNDS)
    assert compare(made.y[:50], simulated[:, 0]).mismatches > 0


@pytest.mark.parametrize("name", ["default", "3_bits", "10_bits"])
def test_ties_are_met_and_go_to_even(student: Students, name: str) -> None:
    made = student(name)
    first = made.network.layers[0]
    assert isinstance(first, Dense)
    sums = made.network.input_type.quantize(made.x) @ first.kernel + first.bias
    scaled = sums * 2.0 ** made.network.layers[1].type.fraction  # type: ignore[union-attr]
    ties = scaled % 1 == 0.5
    assert ties.sum() > 100
    # on the ties, rounding half up is another number half of the time
    half_up = np.floor(scaled[ties] + 0.5)
    assert 0.2 < np.mean(half_up != np.rint(scaled[ties])) < 0.8


def test_saturation_is_met(student: Students) -> None:
    made = student("saturates")
    fixed_type = made.network.output_type
    assert np.mean(made.y == fixed_type.high) > 0.02
    assert np.mean(made.y == fixed_type.low) > 0.02


def with_one_bit_wrong(network: Network) -> Network:
    """Returns the network with the lowest bit of the first weight of the last layer flipped."""
    *before, last, output = network.layers
    assert isinstance(last, Dense)
    codes = last.kernel_type.codes(last.kernel)
    codes[0, 0] ^= 1
    wrong = replace(last, kernel=codes * last.kernel_type.step)
    return replace(network, layers=(*before, wrong, output))


def test_a_single_wrong_bit_is_found_in_the_rtl(student: Students) -> None:
    made = student("default")
    wrong = trace_network(with_one_bit_wrong(made.network))
    assert compare(made.y, wrong.predict(made.x)[:, 0]).mismatches > 0


def test_a_single_wrong_bit_is_found_in_the_c_simulation(student: Students, tmp_path: Path) -> None:
    made = student("default")
    hls.write_hls_project(made.network, HARDWARE, tmp_path)
    weights = max((tmp_path / "firmware" / "weights").glob("w*.txt"))
    values = [float(value) for value in weights.read_text().split(",")]
    assert len(values) == made.case.layers[-1]
    values[0] += 2.0**-5  # one bit of quantized_bits(6, 0)
    weights.write_text(", ".join(f"{value:.10f}" for value in values))
    simulated = hls.simulate_hls(tmp_path, made.x, made.network, BOUNDS)
    assert compare(made.y, simulated[:, 0]).mismatches > 0


def test_a_network_survives_its_file(student: Students, tmp_path: Path) -> None:
    for name in ("two_layers", "no_bias", "coarser_than_one"):
        made = student(name)
        save(made.network, tmp_path / "network.json")
        again = load(tmp_path / "network.json")
        assert replace(again, layers=()) == replace(made.network, layers=())
        assert np.array_equal(evaluate(again, made.x)[:, 0], made.y)


def mixed_functional() -> Any:
    """Unsigned, symmetric and plain quantizers between layers, and an idle activation."""
    import tensorflow as tf
    from qkeras import QActivation, QDense, quantized_bits

    weights = quantized_bits(5, 1, alpha=1, symmetric=1)
    x = inputs = tf.keras.Input((5,))
    for number, layer in enumerate(
        [
            QActivation(quantized_bits(6, 2, symmetric=1)),
            QDense(4, kernel_quantizer=weights, bias_quantizer=weights),
            QActivation(quantized_bits(5, 1, keep_negative=False)),
            QDense(3, kernel_quantizer=weights, bias_quantizer=weights),
            QActivation(quantized_bits(4, 1, symmetric=1)),
            QDense(3, kernel_quantizer=weights, bias_quantizer=weights),
            QDense(1, kernel_quantizer=weights, bias_quantizer=weights),
            tf.keras.layers.Activation("linear"),
            QActivation(quantized_bits(6, 3)),
        ]
    ):
        layer._name = f"layer_{number}"
        x = layer(x)
    return tf.keras.Model(inputs, x)


def mixed_sequential() -> Any:
    """Activations inside their layers, quantizers by name, a ReLU at the end."""
    import tensorflow as tf
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    weights = quantized_bits(5, 0, alpha=1)

    def dense(width: int, activation: Any) -> Any:
        return QDense(width, activation, kernel_quantizer=weights, bias_quantizer=weights)

    return tf.keras.Sequential(
        [
            tf.keras.Input((5,)),
            QActivation("quantized_bits(6, 2, alpha=1)"),
            dense(8, quantized_relu(4, 1)),
            tf.keras.layers.Dropout(0.5),
            dense(1, quantized_relu(6, 2)),
        ]
    )


@pytest.mark.parametrize("make", [mixed_functional, mixed_sequential])
def test_other_shapes_of_models(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    rng = np.random.default_rng(2)
    for layer in model.layers:
        layer.set_weights([rng.uniform(-1, 1, value.shape) for value in layer.get_weights()])
    network = from_qkeras(model)
    x = network.input_type.quantize(rng.integers(-40, 40, (500, 5)) / 8).astype(np.float32)
    y = scores(model, x)
    assert np.unique(y).size > 10
    assert compare(y, evaluate(network, x)[:, 0]).mismatches == 0
    assert compare(y, trace_network(network).predict(x)[:, 0]).mismatches == 0
    hls.write_hls_project(network, HARDWARE, tmp_path)
    assert compare(y, hls.simulate_hls(tmp_path, x, network, BOUNDS)[:, 0]).mismatches == 0


class Double:
    """Keras' backend as QKeras uses it, with its float32 casts in double precision."""

    def __getattr__(self, name: str) -> Any:
        from tensorflow.keras import backend

        return getattr(backend, name)

    def cast(self, x: Any, dtype: str) -> Any:
        from tensorflow.keras import backend

        return backend.cast(x, "float64" if dtype == "float32" else dtype)

    def pow(self, x: Any, exponent: Any) -> Any:
        from tensorflow.keras import backend

        return backend.pow(backend.cast(x, "float64"), backend.cast(exponent, "float64"))


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """QKeras computes in float64: sums of 16-bit numbers take more than a float32 holds."""
    import qkeras.quantizers
    from tensorflow.keras import backend

    monkeypatch.setattr(qkeras.quantizers, "K", Double())
    backend.set_floatx("float64")
    yield
    backend.set_floatx("float32")


def is_qkeras(name: str, bits: int) -> None:
    model = NETWORKS[name](bits)
    network = from_qkeras(model)
    x = full_range(network)
    y = outputs(model, x)
    assert network.outputs == y.shape[1]
    assert np.ptp(y, axis=0).any(), "constant outputs would prove nothing"
    assert compare(y, evaluate(network, x)).mismatches == 0


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_qkeras(name: str, bits: int) -> None:
    if (name, bits) != ("slope", 2):  # refused, see test_reader
        is_qkeras(name, bits)


@pytest.mark.parametrize("name", ["dense", "image", "dnn_ae", "cnn_ae"])
def test_every_layer_is_qkeras_with_many_bits(double: None, name: str) -> None:
    is_qkeras(name, 16)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        *(("dense", bits) for bits in (2, 4, 8, 16)),
        *(("image", bits) for bits in (2, 4, 8)),
        *(("slope", 4), ("slope", 8), ("qkeras_norm", 8), ("dnn_ae", 2)),
    ],
)
def test_every_layer_of_the_emulator(name: str, bits: int) -> None:
    network = from_qkeras(NETWORKS[name](bits))
    x = full_range(network)
    assert compare(evaluate(network, x), trace_network(network).predict(x)).mismatches == 0


@pytest.mark.parametrize(
    ("name", "bits"),
    [("dense", 16), ("image", 2), ("slope", 4), ("dnn_ae", 8), ("cnn_ae", 4)],
)
def test_every_layer_of_the_c_simulation(name: str, bits: int, tmp_path: Path) -> None:
    network = from_qkeras(NETWORKS[name](bits))
    save(network, tmp_path / "network.json")
    network, x = load(tmp_path / "network.json"), full_range(network)  # from the file alone
    hls.write_hls_project(network, HARDWARE, tmp_path / "hls")
    simulated = hls.simulate_hls(tmp_path / "hls", x, network, BOUNDS)
    assert compare(evaluate(network, x), simulated).mismatches == 0


def test_heads_side_by_side_are_several_outputs() -> None:
    import tensorflow as tf

    joined = NETWORKS["dense"](4)
    *_, one, two, _ = joined.layers
    apart = tf.keras.Model(joined.inputs, [one.output, two.output])
    x = full_range(from_qkeras(joined))
    assert np.array_equal(evaluate(from_qkeras(apart), x), evaluate(from_qkeras(joined), x))
    swapped = tf.keras.Model(joined.inputs, [two.output, one.output])
    expected = np.concatenate(
        [evaluate(from_qkeras(joined), x)[:, columns] for columns in (slice(2, 5), slice(0, 2))],
        axis=1,
    )
    assert np.array_equal(evaluate(from_qkeras(swapped), x), expected)


def test_a_model_within_a_model_is_read() -> None:
    import tensorflow as tf

    whole = NETWORKS["dnn_ae"](4)
    code = whole.layers[len(whole.layers) // 2].output
    encoder = tf.keras.Model(whole.input, code)
    decoder = tf.keras.Sequential(whole.layers[len(whole.layers) // 2 + 1 :])
    nested = tf.keras.Sequential([encoder, decoder])
    x = full_range(from_qkeras(whole))
    assert np.array_equal(evaluate(from_qkeras(nested), x), evaluate(from_qkeras(whole), x))
