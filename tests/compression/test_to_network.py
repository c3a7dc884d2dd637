"""Any model as a network: exact where it can be, with its differences where not."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.to_network import to_network
from l1distill.core.errors import DataError
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.settings import PrecisionSettings
from tests.firmware.networks import chain, dense, full_range, grid, outputs, relu

X = np.random.default_rng(3).normal(size=(500, 4))


def calibration(inputs: int) -> NDArray[Any]:
    return X[:, :inputs]


def never(inputs: int) -> NDArray[Any]:
    raise AssertionError("nothing is rounded, so that no events are needed")


def predictions(model: Any) -> NDArray[np.float64]:
    return np.asarray(model(X.astype(np.float32)), dtype=np.float64)


def test_an_exact_model_is_its_own_reference() -> None:
    model = chain((4,), [grid(6), dense(4, 3), relu(4), dense(4, 2), grid(8)])
    quantized = to_network(model, PrecisionSettings(), never)
    assert quantized.reference is model
    assert quantized.metrics is None
    assert quantized.limitations == ()
    x = full_range(quantized.network)
    assert np.array_equal(evaluate(quantized.network, x), outputs(model, x))
    again = to_network(quantized.network, PrecisionSettings(), never)
    assert again.network is again.reference is quantized.network


def test_a_model_in_floating_point_is_rounded_and_its_differences_measured() -> None:
    from tensorflow.keras import layers

    model = chain((4,), [layers.Dense(6, activation="relu"), layers.Dense(2)])
    lines: list[str] = []
    errors = {}
    for bits in (6, 12):
        quantized = to_network(model, PrecisionSettings(bits=bits), calibration, lines.append)
        assert quantized.reference is quantized.network
        network, metrics = quantized.network, quantized.metrics
        assert metrics is not None
        rounded = evaluate(network, network.to_port_values(X) * network.input_units)
        difference = np.abs(rounded - predictions(model))
        assert metrics["precision/bits"] == bits
        assert metrics["precision/mean_abs_difference"] == pytest.approx(difference.mean())
        assert metrics["precision/max_abs_difference"] == pytest.approx(difference.max())
        rms = np.sqrt(np.mean(predictions(model) ** 2))
        assert metrics["precision/rms_of_model"] == pytest.approx(rms, rel=1e-5)
        assert "precision/max_function_error" not in metrics
        errors[bits] = metrics["precision/mean_abs_difference"]
    assert errors[12] < errors[6] / 10
    assert lines == [f"rounding a model in floating point to {bits} bits" for bits in (6, 12)]


def test_an_approximated_function_in_a_qkeras_model_is_a_limitation() -> None:
    from qkeras import QActivation

    body = [grid(6), dense(4, 3), QActivation("quantized_tanh(8, use_real_tanh=True)", name="last")]
    model = chain((4,), body)
    quantized = to_network(model, PrecisionSettings(pieces=8), calibration)
    assert quantized.reference is quantized.network
    assert quantized.metrics is not None
    error = quantized.metrics["precision/max_function_error"]
    assert 0 < error < 0.05
    (sentence,) = quantized.limitations
    assert sentence.startswith("Layer last ")
    assert f"{error:.2g}" in sentence
    finer = to_network(model, PrecisionSettings(pieces=32), calibration).metrics
    assert finer is not None
    assert finer["precision/max_function_error"] < error


def test_a_softmax_is_compared_by_its_largest_class() -> None:
    from tensorflow.keras import layers

    model = chain((4,), [layers.Dense(3), layers.Softmax(name="classes")])
    with pytest.raises(DataError, match="classes"):
        to_network(model, PrecisionSettings(), calibration)
    quantized = to_network(model, PrecisionSettings(bits=12, softmax="argmax"), calibration)
    network = quantized.network
    classes = evaluate(network, network.to_port_values(X) * network.input_units)
    assert np.array_equal(classes.sum(axis=1), np.ones(len(X)))
    same = np.mean(classes.argmax(axis=1) == predictions(model).argmax(axis=1))
    assert quantized.metrics == {"precision/same_class": same}
    assert same > 0.98
