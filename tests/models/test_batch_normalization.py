import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
from l1distill.models.import_keras import load_keras_model
from tests.firmware.networks import NETWORKS, full_range


def test_it_learns_the_statistics_of_its_channels() -> None:
    import tensorflow as tf

    from l1distill.models.batch_normalization import QuantizedBatchNormalization

    tf.keras.utils.set_random_seed(1)
    layer = QuantizedBatchNormalization(
        "quantized_bits(16, 1, alpha=1)", "quantized_bits(16, 2, alpha=1)", momentum=0.9
    )
    plain = tf.keras.layers.BatchNormalization(momentum=0.9)
    rng = np.random.default_rng(0)
    for _ in range(80):
        x = rng.normal([0.5, -1.0, 0.0], [2.0, 1.0, 0.75], (512, 3)).astype(np.float32)
        normalized = layer(x, training=True)
        expected = plain(x, training=True)
        assert np.allclose(normalized, expected, atol=2e-3)
    assert np.allclose(layer.moving_mean, plain.moving_mean, atol=1e-5)
    assert np.allclose(layer.moving_variance, plain.moving_variance, atol=1e-4)
    assert np.allclose(layer(x), plain(x), atol=2e-3)
    assert np.allclose(np.std(layer(x), axis=0), 1.0, atol=0.15)


def test_it_can_be_trained_with_few_bits() -> None:
    import tensorflow as tf

    from l1distill.models.batch_normalization import QuantizedBatchNormalization

    tf.keras.utils.set_random_seed(1)
    layer = QuantizedBatchNormalization(
        "quantized_bits(4, 1, alpha=1)", "quantized_bits(4, 1, alpha=1)"
    )
    model = tf.keras.Sequential([tf.keras.Input((2,)), layer])
    x = np.random.default_rng(0).normal(0, 1, (2000, 2)).astype(np.float32)
    model.compile(tf.keras.optimizers.Adam(0.01), "mse")
    model.fit(x, 0.5 * x - 0.5, epochs=12, batch_size=100, verbose=0)
    scale, offset = layer.constants(layer.moving_mean, layer.moving_variance)
    assert np.abs(np.asarray(scale) - 0.5).max() <= 0.25, "the quantizer's step"
    assert np.abs(np.asarray(offset) + 0.5).max() <= 0.25


@pytest.mark.parametrize("name", ["dense", "image"])
def test_it_survives_its_file(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name](5)
    keras_files.save(model, tmp_path / "model.h5")
    again = keras_files.load(tmp_path / "model.h5")
    x = full_range(from_qkeras(model))
    assert np.array_equal(evaluate(from_qkeras(again), x), evaluate(from_qkeras(model), x))


def save_hdf5(model: Any, folder: Path) -> Path:
    keras_files.save(model, folder / "model.h5")
    return folder / "model.h5"


def save_folder(model: Any, folder: Path) -> Path:
    model.save(folder / "model")
    return folder / "model"


def under_its_former_name(path: Path) -> None:
    """Renames the layer in a saved model as version 0.1 wrote it; both names have one length."""
    for file in [path] if path.is_file() else path.rglob("*.pb"):
        content = file.read_bytes()
        if b"QuantizedBatchNormalization" in content:
            renamed = content.replace(
                b"QuantizedBatchNormalization", b"QuantisedBatchNormalization"
            )
            file.write_bytes(renamed)


@pytest.mark.parametrize("save", [save_hdf5, save_folder])
def test_models_with_its_former_name_are_read(
    save: Callable[[Any, Path], Path], tmp_path: Path
) -> None:
    model = NETWORKS["dense"](5)
    path = save(model, tmp_path)
    under_its_former_name(path)
    x = full_range(from_qkeras(model))
    expected = evaluate(from_qkeras(model), x)
    again = load_keras_model(path)
    names = [type(layer).__name__ for layer in again.layers]
    assert names.count("QuantizedBatchNormalization") == 2
    assert np.array_equal(evaluate(from_qkeras(again), x), expected)
    if path.is_file():
        assert b"QuantisedBatchNormalization" in path.read_bytes()
        loaded = keras_files.load(path)
        assert np.array_equal(evaluate(from_qkeras(loaded), x), expected)


def test_an_architecture_with_its_former_name_is_read(tmp_path: Path) -> None:
    model = NETWORKS["dense"](5)
    text = model.to_json()
    assert text.count("QuantizedBatchNormalization") == 4, "class and registered name, twice"
    (tmp_path / "model.json").write_text(text.replace("QuantizedBatch", "QuantisedBatch"))
    model.save_weights(tmp_path / "weights.h5")
    again = load_keras_model(tmp_path / "model.json", tmp_path / "weights.h5")
    x = full_range(from_qkeras(model))
    assert np.array_equal(evaluate(from_qkeras(again), x), evaluate(from_qkeras(model), x))


def test_reading_a_file_makes_the_layer_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a process that has not imported the layer yet."""
    from tensorflow import keras

    path = save_hdf5(NETWORKS["dense"](5), tmp_path)
    known = keras.utils.get_custom_objects()
    monkeypatch.delitem(sys.modules, "l1distill.models.batch_normalization")
    for name in [name for name in known if "BatchNormalization" in name]:
        monkeypatch.delitem(known, name)
    assert from_qkeras(keras_files.load(path)).outputs == 5
