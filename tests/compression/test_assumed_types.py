"""QKeras models that bring no type for their inputs, weights or results, as most published ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.to_network import QuantizedModel, to_network
from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Conv2D, Dense, Quantize
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.settings import PrecisionSettings
from tests.firmware.networks import fill, full_range, outputs

X = np.random.default_rng(3).normal(0, 1.5, (400, 8))
FIXED_16_6 = FixedPoint(signed=True, integer=5, fraction=10)


def given(inputs: int) -> NDArray[Any]:
    return X[:, :inputs]


def q(bits: int = 6, integer: int = 1) -> Any:
    from qkeras import quantized_bits

    return quantized_bits(bits, integer, alpha=1)


def qin() -> Any:
    from qkeras import QActivation

    return QActivation(q(8, 3))


def qrelu(bits: int = 6, integer: int = 3) -> Any:
    from qkeras import QActivation

    return QActivation(f"quantized_relu({bits},{integer})")


def dense(width: int, bias: Any = "typed", **options: Any) -> Any:
    from qkeras import QDense

    bias = q() if bias == "typed" else bias
    return QDense(width, kernel_quantizer=q(), bias_quantizer=bias, **options)


def model_of(*layers: Any, shape: tuple[int, ...] = (8,)) -> Any:
    from tensorflow import keras

    return fill(keras.Sequential([keras.Input(shape), *layers]))


def inputs_of(quantized: QuantizedModel, number: int = 500) -> NDArray[np.float64]:
    return full_range(quantized.network, number)


def test_a_dense_layer_first_takes_the_default_of_hls4ml() -> None:
    model = model_of(dense(6), qrelu(), dense(2))
    lines: list[str] = []
    quantized = to_network(model, PrecisionSettings(), None, lines.append)
    assert quantized.network.input_type == FIXED_16_6
    assert quantized.network.input_type.hls == "fixed<16,6,RND_CONV,SAT>"
    assert quantized.reference is model
    x = inputs_of(quantized)
    assert np.array_equal(evaluate(quantized.network, x), outputs(model, x))
    assert np.array_equal(trace_network(quantized.network).predict(x), outputs(model, x))
    for words in (lines, quantized.limitations):
        assert "fixed<16,6,RND_CONV,SAT> was assumed" in words[0] + words[1]
        assert "Inputs between -4 and 4 were assumed" in words[0] + words[1]
    with pytest.raises(DataError, match="begin with a QActivation"):
        from_qkeras(model)


def test_an_input_type_can_be_named_or_chosen_on_events() -> None:
    model = model_of(dense(6), qrelu(), dense(2))
    named = PrecisionSettings(input="ap_fixed<10,3,AP_TRN,AP_WRAP>")
    network = to_network(model, named, None).network
    assert network.input_type.hls == "fixed<10,3,TRN,WRAP>"
    wide = X * np.ldexp(1.0, np.arange(8))
    chosen = to_network(model, PrecisionSettings(bits=10), lambda _: wide)
    assert chosen.network.input_type.bits == 10
    assert np.diff(chosen.network.input_exponents).min() >= 0
    assert chosen.network.input_exponents[-1] - chosen.network.input_exponents[0] in (6, 7, 8)
    assert chosen.reference is model
    x = inputs_of(chosen)
    assert np.array_equal(evaluate(chosen.network, x), outputs(model, x))
    assert "calibration events" in chosen.limitations[0]
    assert not any("assumed" in name for name in chosen.metrics)


def test_batch_normalization_first_is_near_the_model() -> None:
    """Far from zero too, where the rounding of a scale would weigh most."""
    from tensorflow.keras import layers

    model = model_of(layers.BatchNormalization(), dense(6), qrelu(), dense(2))
    gamma, beta, mean, variance = model.layers[0].get_weights()
    mean = np.linspace(-300, 300, 8)
    model.layers[0].set_weights([gamma, beta, mean, variance])
    events = X + mean
    quantized = to_network(model, PrecisionSettings(bits=12), lambda _: events)
    metrics = quantized.metrics
    assert metrics["precision/mean_abs_difference"] < 0.3 * metrics["precision/rms_of_model"]
    named = PrecisionSettings(bits=12, input="fixed<20,11>")
    fine = to_network(model, named, lambda _: events).metrics
    assert fine["precision/mean_abs_difference"] < 0.01 * fine["precision/rms_of_model"]
    assert "batch_normalization" in quantized.limitations[1]
    x = inputs_of(quantized)
    emulated = trace_network(quantized.network).predict(x)
    assert np.array_equal(emulated, evaluate(quantized.network, x))


def without_bias_type() -> tuple[list[Any], Callable[[Any], list[Any]]]:
    layers = [qin(), dense(6, bias=None), qrelu(), dense(2)]
    return layers, lambda n: [qin(), dense(6, bias=bits_of(n[0].bias_type)), qrelu(), dense(2)]


def relu_of_keras() -> tuple[list[Any], Callable[[Any], list[Any]]]:
    from tensorflow.keras import layers

    untyped = [qin(), dense(6), layers.Activation("relu"), dense(2)]
    return untyped, lambda n: [qin(), dense(6), relu_of(n[1].type), dense(2)]


def relu_inside() -> tuple[list[Any], Callable[[Any], list[Any]]]:
    untyped = [qin(), dense(6, activation="relu"), dense(2)]
    return untyped, lambda n: [qin(), dense(6), relu_of(n[1].type), dense(2)]


def leaky_relu() -> tuple[list[Any], Callable[[Any], list[Any]]]:
    from tensorflow.keras import layers

    untyped = [qin(), dense(6), layers.LeakyReLU(0.25), dense(2)]
    return untyped, lambda n: [
        *(qin(), dense(6), layers.LeakyReLU(0.25), signed_of(n[1].type), dense(2))
    ]


def float_end() -> tuple[list[Any], Callable[[Any], list[Any]]]:
    from qkeras import QDense
    from tensorflow.keras import layers

    untyped = [qin(), dense(6), qrelu(), layers.Dense(3)]

    def twin(network: Any) -> list[Any]:
        last = network[-1]
        quantizers = (bits_of(last.kernel_type), bits_of(last.bias_type))
        return [
            qin(),
            dense(6),
            qrelu(),
            QDense(3, kernel_quantizer=quantizers[0], bias_quantizer=quantizers[1]),
        ]

    return untyped, twin


def bits_of(fixed: FixedPoint) -> Any:
    return q(fixed.bits, fixed.integer)


def relu_of(fixed: FixedPoint) -> Any:
    assert not fixed.signed
    return qrelu(fixed.bits, fixed.integer)


def signed_of(fixed: FixedPoint) -> Any:
    from qkeras import QActivation

    return QActivation(bits_of(fixed))


@pytest.mark.parametrize(
    "make", [without_bias_type, relu_of_keras, relu_inside, leaky_relu, float_end]
)
def test_what_has_no_type_is_as_if_the_chosen_one_stood_in_the_model(
    make: Callable[[], tuple[list[Any], Callable[[Any], list[Any]]]],
) -> None:
    """QKeras itself, with the types that were chosen, gives the same numbers bit for bit."""
    untyped, twin = make()
    model = model_of(*untyped)
    # QKeras has no type that begins behind the point
    model.set_weights([w * 4 if w.ndim == 1 else w for w in model.get_weights()])
    quantized = to_network(model, PrecisionSettings(bits=7), given)
    assert quantized.reference is quantized.network
    typed = model_of(*twin(quantized.network.layers))
    typed.set_weights(model.get_weights())
    x = inputs_of(quantized)
    assert np.array_equal(evaluate(quantized.network, x), outputs(typed, x))
    assert not np.array_equal(outputs(typed, x), outputs(model, x))
    (sentence,) = quantized.limitations
    assert "rounded to precision.bits=7" in sentence
    finer = to_network(model, PrecisionSettings(bits=12), given).metrics
    name = "precision/mean_abs_difference"
    assert finer[name] < quantized.metrics[name] / 2
    with pytest.raises(DataError):
        from_qkeras(model)


def test_a_relu_before_a_quantizer_needs_no_type_of_its_own() -> None:
    from tensorflow.keras import layers

    for behind in (qin(), qrelu()):
        model = model_of(qin(), dense(6), layers.ReLU(), behind, dense(2))
        network = from_qkeras(model)
        x = full_range(network, 500)
        assert np.array_equal(evaluate(network, x), outputs(model, x))


def test_a_convolution_with_batch_normalization_inside_needs_no_quantizer() -> None:
    from qkeras import QConv2DBatchnorm
    from tensorflow.keras import layers

    body = [layers.Activation("relu"), layers.Flatten(), dense(2)]
    model = model_of(QConv2DBatchnorm(3, (2, 2)), *body, shape=(4, 4, 1))
    events = np.random.default_rng(1).normal(size=(300, 16))
    quantized = to_network(model, PrecisionSettings(bits=10), lambda _: events)
    layer = next(layer for layer in quantized.network.layers if isinstance(layer, Conv2D))
    assert layer.kernel_type.bits == layer.bias_type.bits == 10
    metrics = quantized.metrics
    assert metrics["precision/mean_abs_difference"] < 0.02 * metrics["precision/rms_of_model"]


def test_a_tutorial_without_any_type_is_read() -> None:
    """Nothing but kernels has a type, and a softmax stands at the end."""
    from tensorflow.keras import layers

    body = [dense(6, bias=None), layers.BatchNormalization(), layers.Activation("relu")]
    model = model_of(*body, dense(3, bias=None, activation="softmax", name="last"))
    quantized = to_network(model, PrecisionSettings(bits=10), given)
    network = quantized.network
    result = evaluate(network, network.to_port_values(X) * network.input_units)
    expected = outputs(model, X)
    assert np.mean(result.argmax(axis=1) == expected.argmax(axis=1)) > 0.97
    exponentials = np.exp(result - result.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.abs(probabilities - expected).max() < 0.05
    assert "softmax of layer last is left out" in quantized.limitations[0]
    assert [type(layer) for layer in network.layers[-2:]] == [Quantize, Dense]


def test_a_function_without_a_limit_gets_a_range_of_its_own() -> None:
    from tensorflow.keras import layers

    model = model_of(qin(), dense(6), layers.Activation("gelu"), dense(2))
    metrics = to_network(model, PrecisionSettings(bits=10), given).metrics
    assert metrics["precision/mean_abs_difference"] < 0.03 * metrics["precision/rms_of_model"]
