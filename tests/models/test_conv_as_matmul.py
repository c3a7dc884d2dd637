"""Convolutions as matrix products: the same numbers and gradients as Keras's own layers."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings, with_pruning
from l1distill.models.conv_as_matmul import unroll
from l1distill.tasks.anomaly.teachers import Autoencoder
from tests.tasks.anomaly.test_teachers import ARCHITECTURES, teacher

EVENTS = np.random.default_rng(0).normal(size=(256, 57)).astype(np.float32)


def _chain(autoencoder: Autoencoder) -> list[keras.layers.Layer]:
    return [*autoencoder.encoder, *autoencoder.latent[0], *autoencoder.decoder]


def _through_keras(autoencoder: Autoencoder, x: tf.Tensor, training: bool) -> tf.Tensor:
    for layer in _chain(autoencoder):
        x = layer(x, training=training)
    return x


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outputs_and_gradients(architecture: str, training: bool) -> None:
    keras.utils.set_random_seed(3)
    autoencoder = teacher(architecture)
    variables = autoencoder.model().trainable_variables
    compute = unroll(_chain(autoencoder), len(EVENTS))
    result = []
    for way in (
        lambda x: compute(x, training),
        lambda x: _through_keras(autoencoder, x, training),
    ):
        with tf.GradientTape() as tape:
            y = way(tf.constant(EVENTS))
            loss = tf.reduce_mean(tf.square(y - 1.0))
        gradients = tape.gradient(loss, variables)
        result.append([y, *(g for g in gradients if g is not None)])
    assert len(result[0]) > 5
    for ours, kerass in zip(*result, strict=True):
        scale = np.abs(kerass).max() + 1e-6
        np.testing.assert_allclose(ours / scale, kerass / scale, atol=2e-4)


def test_the_detour_is_really_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    autoencoder = teacher("cnn_ae")
    autoencoder.model()
    sizes: list[int] = []
    own = keras.layers.Conv2D.call

    def spy(self: keras.layers.Conv2D, inputs: tf.Tensor) -> tf.Tensor:
        sizes.append(inputs.shape[0])
        return own(self, inputs)

    monkeypatch.setattr(keras.layers.Conv2D, "call", spy)
    unroll(_chain(autoencoder), 256)(tf.constant(EVENTS), False)
    assert sizes == [60, 96, 64, 64, 96], "unit vectors, not events"
    sizes.clear()
    unroll(_chain(autoencoder), 8)(tf.constant(EVENTS[:8]), False)
    assert sizes == [8] * 5


def test_pruning_wrappers_keep_their_masks() -> None:
    autoencoder = teacher("cnn_ae")
    settings = PruningSettings(sparsity=0.5, begin_epoch=5, end_epoch=6)
    pruned = with_pruning(autoencoder.model(), settings, 1)
    for callback in pruned.callbacks:
        callback.set_model(pruned.model)
        callback.on_train_begin()
        callback.on_train_batch_begin(0)
    wrapped = autoencoder.rebind(pruned.model)
    for layer in pruned.model.layers:
        if hasattr(layer, "pruning_vars"):
            for kernel, mask, _ in layer.pruning_vars:
                mask.assign(np.random.default_rng(1).random(kernel.shape) < 0.5)
    ours = unroll(_chain(wrapped), 256)(tf.constant(EVENTS), True)
    np.testing.assert_allclose(
        ours, _through_keras(wrapped, tf.constant(EVENTS), True), rtol=1e-3, atol=1e-4
    )
