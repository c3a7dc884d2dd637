"""Any model as a network: exact where it can be, with its differences where not."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.to_network import to_network
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
    assert quantized.metrics == {}
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
    quantized = to_network(model, PrecisionSettings(bits=12, softmax="argmax"), calibration)
    network = quantized.network
    classes = evaluate(network, network.to_port_values(X) * network.input_units)
    assert np.array_equal(classes.sum(axis=1), np.ones(len(X)))
    same = np.mean(classes.argmax(axis=1) == predictions(model).argmax(axis=1))
    assert quantized.metrics == {"precision/same_class": same, "precision/bits": 12.0}
    assert same > 0.98


def test_a_softmax_at_the_end_is_left_out_without_an_option() -> None:
    from tensorflow.keras import layers

    for last in ([layers.Dense(3), layers.Softmax()], [layers.Dense(3, activation="softmax")]):
        model = chain((4,), [layers.Dense(5, activation="relu"), *last])
        quantized = to_network(model, PrecisionSettings(bits=12), calibration)
        network = quantized.network
        logits = evaluate(network, network.to_port_values(X) * network.input_units)
        probabilities = predictions(model)
        assert probabilities.sum(axis=1) == pytest.approx(1)
        ratios = np.log(probabilities[:, 1:] / probabilities[:, :1])
        assert logits[:, 1:] - logits[:, :1] == pytest.approx(ratios, abs=0.05)
        assert "is left out" in quantized.limitations[0]
        assert quantized.metrics["precision/same_class"] > 0.98
    body = [grid(6), dense(4, 3), layers.Activation("softmax", name="last")]
    model = chain((4,), body)
    exact = to_network(model, PrecisionSettings(), never)
    assert exact.metrics == {}
    assert exact.reference is not model
    x = full_range(exact.network)
    assert np.array_equal(evaluate(exact.network, x), outputs(exact.reference, x))
    assert outputs(model, x).sum(axis=1) == pytest.approx(1)


def test_what_is_assumed_is_said_and_named() -> None:
    """Inputs of 0 to 255 where plus or minus 4 is assumed: no figure looks like a measured one."""
    from tensorflow.keras import layers

    model = chain((8,), [layers.Dense(6, activation="relu"), layers.Dense(2)])
    real = np.random.default_rng(1).uniform(0, 255, (500, 8))
    kernel, bias = model.layers[-1].get_weights()
    exact = np.asarray(model(real.astype(np.float32)))
    bias[1] += np.median(exact[:, 0] - exact[:, 1])  # each class as often
    model.layers[-1].set_weights([kernel, bias])
    exact = np.asarray(model(real.astype(np.float32)))
    shares = {}
    for read in (None, lambda _: real):
        lines: list[str] = []
        quantized = to_network(model, PrecisionSettings(), read, lines.append)
        network = quantized.network
        result = evaluate(network, network.to_port_values(real) * network.input_units)
        shares[read is None] = np.mean(result.argmax(axis=1) == exact.argmax(axis=1))
        said = [line for line in lines if "Inputs between -4 and 4 were assumed" in line]
        assert len(said) == (read is None)
        assert sum("assumed" in words for words in quantized.limitations) == (read is None)
        measured = {name for name in quantized.metrics if name != "precision/bits"}
        assert {name.endswith("_assumed_inputs") for name in measured} == {read is None}
        (sentence,) = quantized.differences
        assert ("random events of the assumed range" in sentence) == (read is None)
    assert shares[True] < 0.8 < 0.95 < shares[False]


def test_differences_of_one_output_count_pairs_that_change_their_order() -> None:
    from tensorflow.keras import layers

    model = chain((4,), [layers.Dense(1)])
    quantized = to_network(model, PrecisionSettings(bits=4), calibration)
    network = quantized.network
    result = evaluate(network, network.to_port_values(X) * network.input_units)[:, 0]
    exact = predictions(model)[:, 0]
    pairs = np.triu_indices(len(X), 1)
    kept = [np.sign(values[pairs[0]] - values[pairs[1]]) for values in (result, exact)]
    assert quantized.metrics["precision/same_order"] == pytest.approx(
        np.mean(kept[0] == kept[1]), abs=0.05
    )
    assert "of pairs of events change their order" in quantized.differences[0]


def test_bits_for_classes_beside_other_numbers_have_nothing_to_be_compared_with() -> None:
    import tensorflow as tf

    first = tf.keras.Input((4,))
    heads = [tf.keras.layers.Dense(3, activation="softmax"), tf.keras.layers.Dense(2)]
    model = tf.keras.Model(first, [head(first) for head in heads])
    quantized = to_network(model, PrecisionSettings(softmax="argmax"), calibration)
    assert quantized.metrics == {"precision/bits": 8.0}
    assert quantized.differences == ()
