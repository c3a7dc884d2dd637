from pathlib import Path

import numpy as np
import pytest

from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
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
