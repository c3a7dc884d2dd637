from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.ptq import post_training_quantize
from l1distill.core.errors import ConfigError, DataError
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Affine, Conv2D, Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.comparison import compare
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "limit")


def objects(events: int, slots: int, seed: int = 0) -> NDArray[np.float32]:
    """Returns (events, 3 slots) pT [GeV], eta, phi; the last slot is seldom filled."""
    rng = np.random.default_rng(seed)
    made = np.stack(
        [
            rng.gamma(1.2, 40, (events, slots)),
            rng.normal(0, 1.3, (events, slots)),
            rng.uniform(-np.pi, np.pi, (events, slots)),
        ],
        axis=-1,
    )
    made *= (rng.random((events, slots)) < np.linspace(1, 0.02, slots))[..., None]
    return made.reshape(events, 3 * slots).astype(np.float32)


def settle(model: Any, x: NDArray[np.float32]) -> Any:
    """Gives batch normalization statistics and random constants, as training would."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            inner = tf.keras.Model(model.input, layer.input)(x).numpy()
            flat = inner.reshape(-1, inner.shape[-1])
            gamma = rng.uniform(0.5, 1.5, flat.shape[1]) * rng.choice([-1, 1], flat.shape[1])
            beta = rng.normal(0, 0.3, flat.shape[1])
            layer.set_weights([gamma, beta, flat.mean(axis=0), flat.var(axis=0)])
    return model


def chain(shape: tuple[int, ...], *layers: Any) -> Any:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(3)
    return tf.keras.Sequential([tf.keras.Input(shape), *layers])


def dense_model(slots: int = 4) -> Any:
    from tensorflow.keras import layers

    body: list[Any] = [layers.BatchNormalization()]
    for width in (8, 4, 8):
        body += [layers.Dense(width), layers.BatchNormalization(), layers.LeakyReLU(0.25)]
    return chain((3 * slots,), *body, layers.Dense(3 * slots))


def image_model(slots: int = 6) -> Any:
    from tensorflow.keras import layers

    return chain(
        (3 * slots,),
        layers.Reshape((slots, 3, 1)),
        layers.ZeroPadding2D(((1, 0), (0, 0))),
        layers.BatchNormalization(),
        layers.Conv2D(4, (3, 3), use_bias=False),
        layers.ReLU(),
        layers.BatchNormalization(),  # zeros of the next layer keep it from being folded
        layers.Conv2D(3, (3, 1), padding="same", activation="relu"),
        layers.MaxPooling2D((2, 1)),
        layers.UpSampling2D((3, 2)),
        layers.Conv2D(1, (2, 2)),
        layers.Flatten(),
    )


MODELS: dict[str, tuple[Callable[[], Any], int]] = {
    "dense": (dense_model, 4),
    "image": (image_model, 6),
}


def quantized(name: str, bits: int) -> tuple[Any, Network, NDArray[np.float32]]:
    build, slots = MODELS[name]
    x = objects(1200, slots)
    model = settle(build(), x)
    return model, post_training_quantize(model, bits, x[:600]), x[600:]


@pytest.mark.parametrize("name", MODELS)
def test_more_bits_are_closer_to_floating_point(name: str) -> None:
    errors = []
    for bits in (2, 4, 6, 8, 12, 16):
        model, network, x = quantized(name, bits)
        expected = np.asarray(model(x))
        difference = evaluate(network, x) - expected
        errors.append(float(np.sqrt(np.mean(difference**2)) / expected.std()))
    assert np.all(np.diff(errors) < 0), errors
    assert errors[2] < 0.4, errors
    assert errors[3] < 0.2, errors
    assert errors[-1] < 5e-3, errors


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_every_number_has_its_bits(name: str, bits: int) -> None:
    _, network, _ = quantized(name, bits)
    assert network.input_type.bits == bits
    rounded = [layer for layer in network.layers if isinstance(layer, Quantize)]
    assert {layer.type.bits for layer in rounded} == {bits}
    for layer in network.layers:
        if isinstance(layer, Dense | Conv2D):
            assert {layer.kernel_type.bits, layer.bias_type.bits} == {bits}
            assert layer.kernel_type.holds(layer.kernel)
            assert layer.bias_type.holds(layer.bias)
        elif isinstance(layer, Affine) and layer.offset.any():
            assert {layer.scale_type.bits, layer.offset_type.bits} == {bits}
        elif isinstance(layer, Affine):
            assert (np.frexp(layer.scale)[0] == 0.5).all(), "a shift is a power of two"
    names = [type(layer).__name__ for layer in network.layers]
    # shifts of inputs and outputs; of images two more, and a normalization that cannot be folded
    assert names.count("Affine") == {"dense": 3, "image": 6}[name]


@pytest.mark.parametrize(
    ("name", "bits"),
    [("dense", 2), ("dense", 8), ("dense", 16), ("image", 2), ("image", 4)],
)
def test_the_emulator_is_the_network(name: str, bits: int) -> None:
    _, network, x = quantized(name, bits)
    x = np.concatenate([x, full_range(network)])
    assert compare(evaluate(network, x), trace_network(network).predict(x)).mismatches == 0


@pytest.mark.parametrize(("name", "bits"), [("dense", 4), ("image", 16)])
def test_the_c_simulation_is_the_network(name: str, bits: int, tmp_path: Path) -> None:
    _, network, x = quantized(name, bits)
    x = np.concatenate([x, full_range(network)])
    save(network, tmp_path / "network.json")
    network = load(tmp_path / "network.json")
    hls.write_hls_project(network, HARDWARE, tmp_path / "hls")
    simulated = hls.simulate_hls(tmp_path / "hls", x, network, BOUNDS)
    assert compare(evaluate(network, x), simulated).mismatches == 0


def test_few_bits_still_see_every_feature() -> None:
    _, network, x = quantized("dense", 4)
    levels = [np.unique(column).size for column in network.to_port_values(x).T]
    assert min(levels) >= 4, levels
    assert np.ptp(network.input_exponents) >= 4, "pT and angles have other ranges"


def test_inputs_that_are_scaled_already_keep_their_type() -> None:
    fixed_type = FixedPoint(signed=True, integer=3, fraction=4)
    x = objects(500, 4) / 32
    network = post_training_quantize(settle(dense_model(), x), 8, x, fixed_type)
    assert network.input_type == fixed_type
    assert network.input_exponents == ()
    assert np.array_equal(network.to_port_values(x), fixed_type.quantize(x))


def test_folding_changes_nothing_but_rounding() -> None:
    """Batch normalization alone, before and behind a layer, at 16 bits."""
    from tensorflow.keras import layers

    x = objects(500, 4)
    for body in (
        [layers.BatchNormalization(), layers.Dense(3)],
        [layers.Dense(3), layers.BatchNormalization()],
        [
            layers.Reshape((4, 3, 1)),
            layers.BatchNormalization(),
            layers.Conv2D(2, (2, 2), padding="same"),
            layers.Flatten(),
        ],
        [
            *(layers.Reshape((4, 3)), layers.Dense(3), layers.BatchNormalization()),
            *(layers.ReLU(), layers.Flatten()),
        ],
    ):
        model = settle(chain((12,), *body), x)
        expected = np.asarray(model(x))
        difference = evaluate(post_training_quantize(model, 16, x), x) - expected
        assert np.abs(difference).max() < 2e-3 * np.abs(expected).max()


def folded_bodies() -> dict[str, list[Any]]:
    from tensorflow.keras import layers

    relu_and_dense = [layers.ReLU(), layers.Flatten(), layers.Dense(3)]
    image = layers.Reshape((4, 3, 1))
    return {
        "sequence": [
            layers.Reshape((4, 3)),
            layers.Conv1D(5, 2),
            layers.BatchNormalization(),
            *relu_and_dense,
        ],
        "flatten": [layers.Reshape((4, 3)), layers.BatchNormalization(), *relu_and_dense[1:]],
        "pooling": [
            image,
            layers.Conv2D(3, (2, 2)),
            layers.MaxPooling2D((3, 1)),
            layers.BatchNormalization(),
            *relu_and_dense,
        ],
        "relus": [
            layers.Dense(6, activation="relu"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(3),
        ],
    }


@pytest.mark.parametrize("name", ["sequence", "flatten", "pooling", "relus"])
def test_no_batch_normalization_multiplies(name: str) -> None:
    """It is folded, past layers that only move numbers and past ReLUs, or leaves shifts alone."""
    x = objects(500, 4)
    model = chain((12,), *folded_bodies()[name])
    model = settle(model, x)
    if name == "pooling":
        layer = next(each for each in model.layers if "batch" in each.name)
        layer.set_weights([np.abs(layer.get_weights()[0]), *layer.get_weights()[1:]])
    expected = np.asarray(model(x)).reshape(len(x), -1)
    network = post_training_quantize(model, 16, x)
    difference = evaluate(network, x) - expected
    assert np.abs(difference).max() < 3e-3 * np.abs(expected).max(), name
    scales = [layer.scale.ravel() for layer in network.layers if isinstance(layer, Affine)]
    assert (np.abs(np.frexp(np.concatenate(scales))[0]) == 0.5).all()


def test_normalization_of_each_object_is_folded() -> None:
    """Nothing is rounded between a dense layer on the last axis and the ReLU behind it."""
    from tensorflow.keras import layers

    x = objects(300, 4)
    body = [layers.Dense(5), layers.BatchNormalization(), layers.ReLU(), layers.Conv1D(4, 2)]
    body += [layers.LeakyReLU(0.3), layers.GlobalMaxPooling1D(), layers.Dense(2)]
    model = settle(chain((12,), layers.Reshape((4, 3)), *body), x)
    network = post_training_quantize(model, 10, x)
    rounded = [layer.name for layer in network.layers if isinstance(layer, Quantize)]
    assert len(rounded) == 3, rounded
    expected = np.asarray(model(x))
    assert np.abs(evaluate(network, x) - expected).mean() < 0.02 * expected.std()


def test_heads_stand_side_by_side() -> None:
    import tensorflow as tf

    x = objects(500, 4)
    first = tf.keras.Input((12,))
    features = tf.keras.layers.Dense(5, activation="relu")(first)
    heads = [tf.keras.layers.Dense(n, name=f"head_{n}")(features) for n in (2, 3)]
    joined = tf.keras.layers.Concatenate()(heads)
    one = post_training_quantize(tf.keras.Model(first, joined), 12, x)
    two = post_training_quantize(tf.keras.Model(first, heads), 12, x)
    assert one.outputs == 5
    expected = np.asarray(tf.keras.Model(first, joined)(x))
    assert np.array_equal(evaluate(one, x), evaluate(two, x))
    assert np.abs(evaluate(one, x) - expected).max() < 0.02 * np.abs(expected).max()


def refused() -> dict[str, tuple[Callable[[], Any], str]]:
    from tensorflow.keras import layers

    return {
        "unknown": (
            lambda: [layers.Dense(2, activation="exponential", name="last")],
            r"layer last \(Dense\): activation exponential is not supported; use relu, sigmoid",
        ),
        "nothing": (lambda: [layers.Flatten(name="last")], r"layer last .* nothing to quantize"),
    }


@pytest.mark.parametrize("name", refused())
def test_what_is_not_exact_is_refused_by_name(name: str) -> None:
    layers, words = refused()[name]
    with pytest.raises(DataError, match=words) as refusal:
        post_training_quantize(chain((12,), *layers()), 8, objects(50, 4))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("bits", "calibration", "words"),
    [
        (1, objects(50, 4), "bits=1"),
        (17, objects(50, 4), "bits=17"),
        (8, objects(50, 5), r"shape \(50, 15\)"),
        (8, objects(0, 4), r"shape \(0, 12\)"),
        (8, np.full((5, 12), np.nan), "finite"),
    ],
)
def test_bits_and_events_that_do_not_fit_are_refused(
    bits: int, calibration: NDArray[np.float32], words: str
) -> None:
    with pytest.raises(ConfigError if "bits=" in words else DataError, match=words):
        post_training_quantize(dense_model(), bits, calibration)


def test_weights_that_are_not_finite_are_refused() -> None:
    model = dense_model()
    model.layers[1].kernel.assign(np.full((12, 8), np.nan))
    with pytest.raises(DataError, match="its weights are not finite"):
        post_training_quantize(model, 8, objects(50, 4))


def test_constants_get_the_range_of_the_least_error() -> None:
    x = objects(300, 4)
    model = settle(dense_model(), x)
    for bits in (2, 5, 9):
        network = post_training_quantize(model, bits, x)
        kernel = next(layer for layer in network.layers if isinstance(layer, Dense))
        wide = post_training_quantize(model, 16, x)
        exact = next(layer for layer in wide.layers if isinstance(layer, Dense)).kernel
        result = np.mean((kernel.kernel - exact) ** 2)
        others = [
            np.mean(
                (FixedPoint(signed=True, integer=i, fraction=bits - 1 - i).quantize(exact) - exact)
                ** 2
            )
            for i in range(-8, 8)
        ]
        assert result <= min(others) * 1.01
