"""Activations and scales that only models in floating point have, against Keras itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.firmware.cost import estimate
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.reference import predict_keras
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "limit")


def activations() -> dict[str, Callable[[], Any]]:
    import tensorflow as tf
    from tensorflow.keras import layers

    def by_name(name: str) -> Callable[[], Any]:
        return lambda: layers.Activation(name)

    names = ("elu", "selu", "softplus", "swish", "gelu", "hard_sigmoid", "tanh")
    return {
        **{name: by_name(name) for name in names},
        "relu6": lambda: layers.ReLU(6.0),
        "clipped": lambda: layers.ReLU(2.5, negative_slope=0.3),
        "leaky": lambda: layers.LeakyReLU(),  # 0.3
        "steep": lambda: layers.LeakyReLU(1.7),
        "prelu": lambda: layers.PReLU(tf.keras.initializers.RandomUniform(-0.5, 1.5, seed=2)),
        "soft elu": lambda: layers.ELU(0.4),
    }


def rounded(body: list[Any], shape: tuple[int, ...], bits: int) -> tuple[Any, ...]:
    """Returns a model, events, its network, and what made its functions."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(7)
    model = tf.keras.Sequential([tf.keras.Input(shape), *body])
    x = np.random.default_rng(1).normal(0, 2.5, (500, int(np.prod(shape))))
    functions = FunctionApproximator(bits, 16)
    network = post_training_quantize(model, bits, x, functions=functions)
    return model, x, network, functions


def is_exact(network: Network, x: NDArray[np.float64]) -> bool:
    events = np.concatenate([x[:100], full_range(network, 100)])
    return np.array_equal(trace_network(network).predict(events), evaluate(network, events))


@pytest.mark.parametrize("name", activations())
def test_an_activation_is_that_of_keras_but_for_rounding(name: str) -> None:
    from tensorflow.keras import layers

    model, x, network, functions = rounded([layers.Dense(3), activations()[name]()], (3,), 12)
    expected = predict_keras(model, x)
    off = np.abs(evaluate(network, x) - expected)
    known = sum(functions.errors.values())
    # besides the pieces: what goes into them and comes out of them has twelve bits each
    assert off.max() < known + 0.01 * np.abs(expected).max()
    assert known < 0.03 * np.abs(expected).max()
    assert is_exact(network, x)
    assert estimate(network, 3.5).lut_estimate > 0


def test_slopes_of_images_and_sequences_are_exact_in_the_c_simulation(tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow.keras import layers

    slopes = tf.keras.initializers.RandomUniform(-0.5, 1.5, seed=3)
    body = [
        *(layers.Normalization(mean=[0.5, -1.0], variance=[4.0, 2.0]), layers.Conv1D(3, 2)),
        *(layers.PReLU(slopes, shared_axes=[1]), layers.Conv1D(2, 2), layers.LeakyReLU(0.3)),
        *(layers.PReLU(slopes), layers.Conv1D(2, 1, activation="swish"), layers.Flatten()),
        *(layers.Rescaling(0.3, 1.0), layers.Dense(2, activation="relu")),
    ]
    model, x, network, _ = rounded(body, (5, 2), 7)
    expected = predict_keras(model, x)
    assert np.abs(evaluate(network, x) - expected).mean() < 0.05 * np.ptp(expected)
    assert is_exact(network, x)
    events = np.concatenate([x[:100], full_range(network, 100)])
    hls.write_hls_project(network, HARDWARE, tmp_path)
    result = hls.simulate_hls(tmp_path, events, network, BOUNDS)
    assert np.array_equal(result, evaluate(network, events))


@pytest.mark.parametrize("axis", [-1, None])
def test_a_normalization_is_adapted_to_its_data(axis: int | None) -> None:
    from tensorflow.keras import layers

    layer = layers.Normalization(axis=axis)
    layer.adapt(np.random.default_rng(2).normal([5.0, -20.0, 0.1], [3.0, 8.0, 0.02], (500, 3)))
    model, x, network, _ = rounded([layer, layers.Dense(2)], (3,), 14)
    expected = predict_keras(model, x)
    assert np.abs(evaluate(network, x) - expected).max() < 2e-3 * np.abs(expected).max()
