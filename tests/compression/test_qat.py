"""Fixed-point networks as QKeras models: the same numbers before training, and after it."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.ptq import post_training_quantize
from l1distill.compression.qat import to_qkeras
from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Multiply,
    Quantize,
    Square,
    Subtract,
)
from l1distill.firmware.network.network import (
    EXACT_FLOAT32_BITS,
    Network,
    connect,
    evaluate,
    widest_sum,
)
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.tasks.anomaly.teachers import Autoencoder, firmware_part
from tests.compression.test_ptq import settle
from tests.firmware.networks import full_range, outputs
from tests.tasks.anomaly.test_autoencoder import EVENTS
from tests.tasks.anomaly.test_teachers import ARCHITECTURES, teacher

FLAT = EVENTS.reshape(len(EVENTS), -1)
X = np.concatenate([FLAT, 6 * FLAT[:100]])
"""Signals reach further than the background that ranges are chosen on."""


class SmallTeacher(NamedTuple):
    """A teacher with statistics of batch normalization as training leaves them, half its weights
    zero, and what of it goes on the FPGA."""

    autoencoder: Autoencoder
    part: Any

    def rounded(self, bits: int) -> Network:
        return post_training_quantize(self.part, bits, FLAT[:200])


def small_teacher(architecture: str) -> SmallTeacher:
    keras.utils.set_random_seed(2)
    autoencoder = teacher(architecture)
    part = firmware_part(autoencoder, autoencoder.model())
    for layer in part.layers:
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
            kernel, *bias = layer.get_weights()
            kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0.0
            layer.set_weights([kernel, *bias])
    return SmallTeacher(autoencoder, settle(part, FLAT))


def linear_layers(network: Network) -> list[Dense | Conv2D]:
    return [layer for layer in network.layers if isinstance(layer, Dense | Conv2D)]


def types_of(network: Network) -> list[FixedPoint]:
    weights = [
        fixed_type
        for layer in linear_layers(network)
        for fixed_type in (layer.kernel_type, layer.bias_type)
    ]
    return weights + [layer.type for layer in network.layers if isinstance(layer, Quantize)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_model_computes_what_the_network_does(architecture: str) -> None:
    result = small_teacher(architecture)
    negative = 0
    for bits in (2, 4, 8, 16):
        network = result.rounded(bits)
        negative += sum(fixed_type.integer < 0 for fixed_type in types_of(network))
        model = to_qkeras(network, "quantized")
        expected = evaluate(network, X)
        assert np.unique(expected).size > bits
        read = from_qkeras(model)
        np.testing.assert_array_equal(evaluate(read, X), expected)
        assert read.output_type == network.output_type
        off = np.abs(outputs(model, X) - expected)
        if bits <= 8:  # a sum of these events stays below the largest that is possible
            assert widest_sum(network)[1] <= EXACT_FLOAT32_BITS + 1
            assert off.max() == 0
        else:  # sums of forty bits, which QKeras rounds to float32
            last = network.layers[-1]
            assert isinstance(last, Affine)
            assert np.mean(off > 0) < 0.02
            assert np.max(off / last.scale) <= 16 * 2.0 ** (1 - bits)
    assert negative > 0, "types that end right of the binary point were met"


def _numbers(fixed_type: FixedPoint, shape: tuple[int, ...]) -> NDArray[np.float64]:
    rng = np.random.default_rng(sum(shape))
    return fixed_type.quantize(rng.normal(0, 2.0 ** (fixed_type.integer - 1), shape))


def _dense(name: str, size: tuple[int, int], kernel: FixedPoint, bias: FixedPoint) -> Dense:
    return Dense(
        name,
        kernel=_numbers(kernel, size),
        bias=_numbers(bias, size[1:]),
        kernel_type=kernel,
        bias_type=bias,
    )


@pytest.mark.parametrize("overflow", ["SAT", "SAT_SYM"])
def test_the_binary_point_may_lie_anywhere(overflow: Any) -> None:
    """Left of all bits, right of all bits, and elsewhere for the bias than for the kernel."""

    def signed(integer: int, fraction: int) -> FixedPoint:
        return FixedPoint(signed=True, integer=integer, fraction=fraction, overflow=overflow)

    layers: list[Layer] = [
        _dense("one", (6, 9), signed(-3, 8), signed(-5, 9)),
        Quantize("leaky", type=signed(-2, 7), negative_slope=0.25),
        _dense("two", (9, 9), signed(-1, 6), signed(-4, 9)),
        Quantize("relu", type=FixedPoint(signed=False, integer=-2, fraction=8)),
        _dense("three", (9, 9), signed(8, -2), signed(3, 2)),
        Quantize("wide_relu", type=FixedPoint(signed=False, integer=6, fraction=-1)),
        _dense("four", (9, 5), signed(0, 5), signed(3, 1)),
        Quantize("outputs", type=signed(7, -2)),
    ]
    network = connect(6, signed(1, 5), layers, (3, 0, -2, 0, 1, 0))
    x = full_range(network)
    model = to_qkeras(network, "quantized")
    values = network.to_port_values(x)
    for layer in layers:
        values = layer.apply(values)
        assert np.unique(values).size > 16, f"{layer.name} tells events apart"
    expected = evaluate(network, x)
    np.testing.assert_array_equal(outputs(model, x), expected)
    np.testing.assert_array_equal(evaluate(from_qkeras(model), x), expected)


def test_branches_are_those_of_the_network() -> None:
    fixed_type = FixedPoint(signed=True, integer=2, fraction=4)
    layers: list[Layer] = [
        _dense("one", (4, 4), fixed_type, fixed_type),
        Quantize("rounded", type=fixed_type),
        Add("past"),
        Subtract("away"),
        Quantize("again", type=fixed_type),
        Multiply("gate"),
        Concatenate("joined", axis=0),
    ]
    sources = ((0,), (1,), (0, 2), (3, 1), (4,), (5, 2), (6, 2))
    network = connect(4, fixed_type, layers, sources=sources)
    x = np.random.default_rng(1).integers(-64, 64, (300, 4)) / 16
    read = from_qkeras(to_qkeras(network, "quantized"))
    assert np.ptp(evaluate(network, x), axis=0).all()
    np.testing.assert_array_equal(evaluate(read, x), evaluate(network, x))


def test_training_may_begin_with_finer_numbers() -> None:
    result = small_teacher("cnn_ae")
    coarse, fine = result.rounded(4), result.rounded(16)
    model = to_qkeras(coarse, "quantized", fine)
    for read, rounded, finer in zip(
        linear_layers(from_qkeras(model)), linear_layers(coarse), linear_layers(fine), strict=True
    ):
        gain = 2.0 ** (read.kernel_type.integer - rounded.kernel_type.integer)
        behind, bias = model.get_layer(read.name).get_weights()
        np.testing.assert_array_equal(behind, finer.kernel * gain)
        np.testing.assert_array_equal(bias, finer.bias * gain)
        np.testing.assert_array_equal(
            read.kernel, rounded.kernel_type.quantize(finer.kernel) * gain
        )
        assert np.unique(behind).size > 2 * np.unique(read.kernel).size


def _affine(scale: float, offset: float) -> Affine:
    values = np.full(3, scale), np.full(3, offset)
    scale, offset = values
    return Affine(
        "norm",
        scale=scale,
        offset=offset,
        scale_type=grid_of(scale),
        offset_type=grid_of(offset),
    )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (_affine(0.75, 0.0), "layer norm: a batch normalization that cannot be folded"),
        (Square("squares"), "layer squares: squares have no layer in Keras"),
        (_affine(0.5, 0.25), "layer norm: a batch normalization that cannot be folded"),
        (_affine(-0.5, 0.0), "layer norm: a batch normalization that cannot be folded"),
        (
            Quantize("cut", type=FixedPoint(signed=True, integer=0, fraction=3, rounding="TRN")),
            r"fixed<4,1,TRN,SAT>: QKeras rounds",
        ),
        (
            Quantize("wrap", type=FixedPoint(signed=True, integer=0, fraction=3, overflow="WRAP")),
            "QKeras rounds .* saturates",
        ),
    ],
)
def test_what_qkeras_cannot_compute_is_refused(layer: Layer, words: str) -> None:
    fixed_type = FixedPoint(signed=True, integer=1, fraction=4)
    network = connect(3, fixed_type, [_dense("dense", (3, 3), fixed_type, fixed_type), layer])
    with pytest.raises(DataError, match=words) as refusal:
        to_qkeras(network, "quantized")
    assert "\n" not in str(refusal.value)
