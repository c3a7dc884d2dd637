"""Models of Keras 3 and qkeras-v3 against their formulas in numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.models.import_keras import is_quantized, load_keras_model
from tests.models import keras3_files as keras3

RNG = np.random.default_rng(3)
FIRST = [RNG.normal(size=(5, 4)), RNG.normal(size=4)]
SECOND = [RNG.normal(size=(4, 2)), RNG.normal(size=2)]
NORM = [RNG.uniform(0.5, 1.5, 4) for _ in range(4)]
"""Gamma, beta, moving mean and moving variance."""
X = RNG.normal(size=(30, 5)).astype(np.float32)


def relu(values: Any) -> Any:
    return np.maximum(values, 0)


def chain() -> dict[str, Any]:
    norm = keras3.layer("BatchNormalization", "norm", epsilon=0.001, axis=-1, synchronized=False)
    return keras3.sequential(
        [
            keras3.inputs("in", 5),
            keras3.dense("a", 4, activation="relu"),
            norm,
            keras3.layer("Dropout", "drop", rate=0.1, seed=None, noise_shape=None),
            keras3.dense("b", 2),
        ]
    )


def chained() -> Any:
    gamma, beta, mean, variance = NORM
    hidden = (relu(X @ FIRST[0] + FIRST[1]) - mean) / np.sqrt(variance + 0.001) * gamma + beta
    return hidden @ SECOND[0] + SECOND[1]


GROUPS = {
    "dense": ("a", FIRST),
    "batch_normalization": ("norm", NORM),
    "dense_1": ("b", SECOND),
}


@pytest.mark.parametrize("named", [True, False])  # earlier versions of Keras 3 leave the names out
def test_an_archive_is_read(named: bool, tmp_path: Path) -> None:
    groups = {group: (name if named else "", arrays) for group, (name, arrays) in GROUPS.items()}
    model = load_keras_model(keras3.write_archive(tmp_path / "m.keras", chain(), groups))
    assert np.abs(model.predict(X, verbose=0) - chained()).max() < 1e-5
    assert not is_quantized(model)


def test_hdf5_and_json_are_read(tmp_path: Path) -> None:
    by_name = dict(GROUPS.values())
    (tmp_path / "m.json").write_text(json.dumps(chain()))
    keras3.write_weights(tmp_path / "m.weights.h5", GROUPS)
    for paths in (
        (keras3.write_hdf5(tmp_path / "m.h5", chain(), by_name),),
        (tmp_path / "m.json", tmp_path / "m.weights.h5"),
    ):
        assert np.abs(load_keras_model(*paths).predict(X, verbose=0) - chained()).max() < 1e-5


def test_a_graph_with_an_operation_and_named_outputs_is_read(tmp_path: Path) -> None:
    """Outputs as a dictionary come in the order of their names."""
    addition = {
        "module": "keras.src.ops.numpy",
        "class_name": "Add",
        "config": {"name": "add"},
        "registered_name": "Add",
        "name": "add",
        "inbound_nodes": [keras3.call("a", "slope")],
    }
    both = keras3.layer("Concatenate", "both", axis=-1)
    both.update(name="both", inbound_nodes=[keras3.call("add", "a", listed=True)])
    layers = [
        keras3.inputs("in", 5),
        keras3.dense("a", 4, "in"),
        keras3.layer("LeakyReLU", "slope", "a", negative_slope=0.25),
        addition,
        both,
        keras3.layer("Activation", "swish", "a", activation="silu"),
    ]
    ends = {"z": ["both", 0, 0], "b": ["swish", 0, 0]}
    config = keras3.functional(layers, ends)
    path = keras3.write_archive(tmp_path / "m.keras", config, {"dense": ("a", FIRST)})
    second, first = load_keras_model(path).predict(X, verbose=0)
    hidden = X @ FIRST[0] + FIRST[1]
    added = hidden + np.where(hidden < 0, hidden / 4, hidden)
    assert np.abs(first - np.concatenate([added, hidden], axis=1)).max() < 1e-5
    assert np.abs(second - hidden / (1 + np.exp(-hidden))).max() < 1e-5


def quantized(alpha: Any = 1) -> dict[str, Any]:
    options = {"kernel_range": None, "bias_range": None, "use_bias": True}
    quantizers = {"kernel_quantizer": keras3.bits(4, 0, alpha)}
    quantizers["bias_quantizer"] = keras3.bits(6, 1)
    relu_type = keras3.quantizer(
        "quantized_relu", bits=6, integer=2, use_sigmoid=0, negative_slope=0.0
    )
    return keras3.sequential(
        [
            keras3.inputs("in", 5),
            keras3.of_qkeras("QActivation", "grid", activation=keras3.bits(8, 3)),
            keras3.of_qkeras(
                *("QDense", "a"), units=4, activation=relu_type, **quantizers, **options
            ),
        ]
    )


def test_a_model_of_qkeras_v3_is_read(tmp_path: Path) -> None:
    groups = {"q_activation": ("grid", ()), "q_dense": ("a", FIRST)}
    model = load_keras_model(keras3.write_archive(tmp_path / "m.keras", quantized(), groups))
    assert is_quantized(model)
    x = np.clip(np.rint(X * 16), -128, 127) / 16
    kernel = np.clip(np.rint(np.float32(FIRST[0]) * 8), -8, 7) / 8
    bias = np.clip(np.rint(np.float32(FIRST[1]) * 16), -32, 31) / 16
    expected = np.clip(np.rint((x @ kernel + bias) * 16), 0, 63) / 16
    assert np.array_equal(model.predict(X, verbose=0), expected)


def test_an_automatic_scale_rounds_as_in_qkeras_v3(tmp_path: Path) -> None:
    """The kernel is rounded to multiples of the scale that it is multiplied by."""
    groups = {"q_dense": ("a", FIRST)}
    config = quantized("auto_po2")
    model = load_keras_model(keras3.write_archive(tmp_path / "m.keras", config, groups))
    layer = model.get_layer("a")
    kernel = np.asarray(layer.kernel_quantizer_internal(layer.kernel))
    step = np.asarray(layer.kernel_quantizer_internal.scale) / 8
    values = np.float32(FIRST[0])
    codes = np.sign(values) * np.minimum(np.floor(np.abs(values) / step + 0.5), 7)
    assert np.array_equal(kernel, codes * step)
    assert np.all(np.log2(step) % 1 == 0)


OTHER = [FIRST[0].T, FIRST[1]]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({**GROUPS, "dense": ("a", OTHER)}, r"layer a \(Dense\): .*\(4, 5\) and \(4,\).*\(5, 4\)"),
        ({**GROUPS, "dense": ("a", FIRST[:1])}, r"layer a \(Dense\): .* \(5, 4\), and the"),
        ({"dense": ("a", FIRST)}, "layer norm: there are no weights of it"),
        ({**GROUPS, "dense_2": ("c", SECOND)}, "/layers/dense_2: belong to no layer"),
    ],
)
def test_weights_have_to_be_those_of_the_layers(groups: Any, words: str, tmp_path: Path) -> None:
    path = keras3.write_archive(tmp_path / "m.keras", chain(), groups)
    with pytest.raises(DataError, match=words) as refusal:
        load_keras_model(path)
    assert str(refusal.value).startswith(f"model={path}: ")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([keras3.dense("b", 2, activation="hard_sigmoid")], "hard_sigmoid of Keras 3 is another"),
        ([keras3.layer("Dense", "b", units=2, lora_rank=4)], "lora_rank=4"),
        ([keras3.layer("RMSNormalization", "b")], "class RMSNormalization, which neither"),
        ([{**keras3.layer("QDense", "b"), "module": "hgq.layers"}], "HGQ"),
        ([keras3.layer("QuantizeLayer", "b")], "tfmot.quantization"),
    ],
)
def test_what_keras_2_does_not_compute_is_refused(layers: Any, words: str, tmp_path: Path) -> None:
    config = keras3.sequential([keras3.inputs("in", 5), *layers])
    path = keras3.write_archive(tmp_path / "m.keras", config, {"dense": ("b", SECOND)})
    with pytest.raises(DataError, match=words) as refusal:
        load_keras_model(path)
    assert str(refusal.value).startswith(f"model={path}: ")
    assert "\n" not in str(refusal.value)
