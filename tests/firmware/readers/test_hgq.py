"""Proxy models of HGQ, with a type for each element: the same numbers in HGQ and everywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.to_network import to_network
from l1distill.core.errors import ConfigError, DataError
from l1distill.firmware.emulator import cpp
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.layers import Lookup, QuantizeElements
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.hgq import quantizer_types
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.settings import PrecisionSettings
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.events import random_events
from l1distill.models import hgq_model
from l1distill.models.import_keras import load_keras_model
from tests.firmware.emulators import library, simulated
from tests.firmware.students import HARDWARE

RNG = np.random.default_rng(7)


def quantizer(shape: tuple[int, ...], rounding: str, overflow: str, name: str, top: int = 6) -> Any:
    """Makes a layer with types at random, one of them without any bit."""
    from l1distill.models.hgq_proxy import FixedPointQuantizer

    layer = FixedPointQuantizer((1, *shape), rounding, overflow, name=name)
    bits = RNG.integers(1, top + 1, (1, *shape))
    bits.flat[1] = 0
    signs = np.where(bits > 1, RNG.integers(0, 2, bits.shape), 0)
    layer.set_weights([signs, bits, RNG.integers(-1, 4, bits.shape)])
    return layer


def table(name: str) -> Any:
    """Makes the table of a tanh, of numbers of six bits with a sign."""
    from l1distill.models.hgq_proxy import UnaryLUT

    layer = UnaryLUT((1, 2, 3), (1, 0, 4), name=name)
    codes = np.arange(64)
    values = np.tanh(np.where(codes < 32, codes, codes - 64) / 8)
    layer.set_weights([np.rint(values * 16) / 16])
    return layer


@pytest.fixture(scope="module")
def proxy() -> Any:
    """Ports of their own types, all roundings and overflows, a table, and a zero among them."""
    from tensorflow.keras import Input, Model, layers

    from l1distill.models.hgq_proxy import FixedPointQuantizer

    x = first = Input((6,))
    x = quantizer((6,), "RND", "WRAP", "ports")(x)
    x = layers.Dense(5, name="one")(x)
    x = layers.ReLU()(quantizer((5,), "TRN", "WRAP", "sums", 9)(x))
    one = quantizer((5,), "RND", "WRAP", "one_out")(x)
    x = layers.Dense(4, name="two")(one)
    same = FixedPointQuantizer((), "RND_CONV", "SAT", name="same")
    same.set_weights([np.int8(1), np.int8(6), np.int8(3)])
    two = table("tanh")(same(x))
    x = layers.Concatenate()([one, two])
    x = quantizer((3,), "RND_CONV", "SAT", "out", 8)(layers.Dense(3, name="three")(x))
    model = Model(first, x)
    for layer in model.layers:
        if isinstance(layer, layers.Dense):
            kernel, bias = layer.get_weights()
            grids = 2.0 ** RNG.integers(1, 5, kernel.shape)
            kernel = np.rint(RNG.normal(0, 0.8, kernel.shape) * grids) / grids
            layer.set_weights([kernel, np.rint(RNG.normal(0, 8, bias.shape)) / 8])
    return model


@pytest.fixture(scope="module")
def network(proxy: Any) -> Network:
    return from_qkeras(proxy)


@pytest.fixture(scope="module")
def events(network: Network) -> NDArray[np.float64]:
    """On the grids of the ports, and at the boundaries of each layer."""
    hunted = adversarial_events(network, 300, 1)
    assert hunted.met > 50
    return np.concatenate([random_events(network, 700, 2), hunted.x])


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one) + 0.0, np.asarray(other) + 0.0))


def test_each_element_is_rounded_as_hgq_does() -> None:
    from HGQ.proxy.fixed_point_quantizer import gfixed_quantizer

    x = (RNG.normal(0, 6, (400, 40)) + RNG.integers(-64, 65, (400, 40)) / 16).astype(np.float32)
    for rounding in ("TRN", "RND", "RND_CONV"):
        for overflow in ("WRAP", "SAT", "SAT_SYM"):
            layer = quantizer((40,), rounding, overflow, "layer")
            expected = gfixed_quantizer(
                x, layer.keep_negative, layer.bits, layer.integers, rounding, overflow
            )
            ours = QuantizeElements("layer", types=quantizer_types(layer, (40,)))
            assert same(expected, ours.apply(x.astype(np.float64)))
            assert same(expected, layer(x))


def test_the_network_is_the_proxy_also_off_the_grid_and_beyond_its_ranges(
    proxy: Any, network: Network, events: NDArray[np.float64]
) -> None:
    assert {type(layer) for layer in network.layers} >= {QuantizeElements, Lookup}
    assert len(set(network.port_types)) > 3
    off = RNG.normal(0, 9, (500, 6)).astype(np.float32)
    for x in (events, off):
        y = proxy.predict(x.astype(np.float32), verbose=0)
        assert same(y, evaluate(network, x))
    assert (np.ptp(evaluate(network, events), axis=0) > 0).sum() == 2  # and one without any bit


def test_emulator_cpp_and_verilog(
    network: Network, events: NDArray[np.float64], tmp_path: Path
) -> None:
    y, emulator = evaluate(network, events), trace_network(network)
    off = RNG.normal(0, 9, (200, 6))
    built = library(emulator, tmp_path / "cpp")
    for x in (events, off):
        assert same(evaluate(network, x), emulator.predict(x))
        assert same(evaluate(network, x), cpp.predict(built, x))
    assert same(y[-300:], simulated(network, events[-300:], tmp_path / "rtl"))


def test_hls(network: Network, events: NDArray[np.float64], tmp_path: Path) -> None:
    hls.write_hls_project(network, HARDWARE, tmp_path)
    limit = TimeLimit(300.0, "firmware.hls_time_limit_s")
    assert same(evaluate(network, events), hls.simulate_hls(tmp_path, events, network, limit))


def test_the_file_of_a_network_keeps_the_types(network: Network, tmp_path: Path) -> None:
    save(network, tmp_path / "network.json")
    assert load(tmp_path / "network.json").port_types == network.port_types
    x = random_events(network, 50, 3)
    assert same(evaluate(load(tmp_path / "network.json"), x), evaluate(network, x))


@pytest.fixture(scope="module")
def trained() -> tuple[Any, NDArray[np.float32]]:
    """A model of HGQ, its bit widths moved apart by a few steps of training."""
    import tensorflow as tf
    from HGQ import HDense, HDenseBatchNorm, HQuantize, ResetMinMax
    from HGQ.layers import HActivation
    from tensorflow import keras

    tf.keras.utils.set_random_seed(1)
    layers = [HQuantize(beta=1e-3), HDense(6, activation="relu", beta=1e-3)]
    layers += [HDenseBatchNorm(5, beta=1e-3), HActivation("tanh", beta=1e-3), HDense(2, beta=1e-3)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    x = RNG.normal(0, 2, (512, 4)).astype(np.float32)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(x, x[:, :2] * x[:, 2:], epochs=4, verbose=0, callbacks=[ResetMinMax()])
    return model, x


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_files_of_hgq_and_of_its_proxy(
    trained: tuple[Any, NDArray[np.float32]],
    suffix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tensorflow import keras

    model, x = trained
    model.save(tmp_path / f"hgq{suffix}")
    read = to_network(load_keras_model(tmp_path / f"hgq{suffix}"), PrecisionSettings(), lambda _: x)
    assert "measured on 512 events" in read.limitations[0]
    proxy = read.reference
    proxy.save(tmp_path / f"proxy{suffix}")
    wide = 3 * x
    expected = proxy.predict(wide, verbose=0)
    assert same(expected, evaluate(read.network, wide))
    monkeypatch.setattr(hgq_model, "find_spec", lambda _: None)
    for name in ("HGQ>FixedPointQuantizer", "HGQ>UnaryLUT"):  # as if it had not been imported
        monkeypatch.delitem(keras.utils.get_custom_objects(), name)
    alone = load_keras_model(tmp_path / f"proxy{suffix}")
    assert type(alone.layers[1]).__module__ == "l1distill.models.hgq_proxy"
    assert same(expected, alone.predict(wide, verbose=0))
    quantized = to_network(alone, PrecisionSettings(), None)
    assert "beyond one that wraps" in quantized.limitations[0]
    again = quantized.network
    assert same(expected, evaluate(again, wide))
    assert same(expected, trace_network(again).predict(wide))
    with pytest.raises(DataError, match=r"pip install 'l1distill\[hgq\]', or give the model that"):
        load_keras_model(tmp_path / f"hgq{suffix}")


def test_a_model_of_hgq_without_events_is_refused(trained: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match=r"precision\.calibration: .*\.to_proxy_model"):
        to_network(trained[0], PrecisionSettings(), None)


def test_a_proxy_without_a_quantizer_somewhere_is_refused() -> None:
    from tensorflow.keras import Input, Model, layers

    first = Input((4,))
    x = layers.ReLU(name="open")(quantizer((4,), "TRN", "WRAP", "ports")(first))
    with pytest.raises(DataError, match="layer open: no FixedPointQuantizer follows it"):
        from_qkeras(Model(first, x))
    with pytest.raises(DataError, match=r"layer odd .*: TRN_ZERO is not supported"):
        quantizer((3,), "TRN_ZERO", "WRAP", "odd")
