from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from l1distill.compression.pruning import (
    PruningSettings,
    measure_sparsity,
    strip,
    with_pruning,
    with_zeros_held,
)
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.teachers import build_teacher, pruned_layers
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, fit, ignore_epoch, supervised
from l1distill.training.settings import TrainingSettings
from tests.settings import conf


def _train(sparsity: float):  # type: ignore[no-untyped-def]
    make_deterministic(1)
    student = build_student(StudentSettings(layers=[8], weight_bits=16), features=57)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 57)).astype(np.float32)
    sample = (x, x[:, 0])
    settings = PruningSettings(sparsity=sparsity, begin_epoch=1, end_epoch=6)
    pruned = with_pruning(student, settings, steps_per_epoch=4)
    training = TrainingSettings(epochs=8, batch_size=64, learning_rate=0.01, patience=8)
    fit(
        Fit(
            model=pruned.model,
            loss=supervised(pruned.model, "mse"),
            settings=training,
            seed=1,
            callbacks=pruned.callbacks,
            best_from_epoch=pruned.full_from_epoch,
        ),
        sample,
        sample,
        ignore_epoch,
    )
    return strip(pruned.model)


# 32 steps in all: the library's own default of an update every 100 steps would reach nothing
@pytest.mark.parametrize("sparsity", [0.5, 0.75])
def test_the_target_is_reached_in_each_dense_layer(sparsity: float) -> None:
    student = _train(sparsity)
    for layer in student.layers:
        if hasattr(layer, "kernel"):
            zeros = float(np.mean(layer.kernel.numpy() == 0.0))
            assert zeros == pytest.approx(sparsity, abs=0.5 / layer.kernel.shape[0])
    assert measure_sparsity(student) >= sparsity - 0.01


def test_convolutions_are_pruned_and_only_where_asked() -> None:
    autoencoder = build_teacher(AutoencoderSettings.model_validate(conf("teacher/cnn_vae")))
    model = autoencoder.model()
    settings = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=1)
    pruned = with_pruning(model, settings, 10, pruned_layers(autoencoder))
    wrapped = {layer.layer.name for layer in pruned.model.layers if hasattr(layer, "pruning_vars")}
    assert wrapped == {"encoder_1", "encoder_2", "mean", "log_variance"}
    assert [layer.name for layer in strip(pruned.model).layers] == [
        layer.name for layer in model.layers
    ]


def test_the_output_layer_keeps_its_weights_where_that_is_asked_for() -> None:
    student = build_student(StudentSettings(layers=[8, 4]), features=57)
    settings = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=1, prune_output=False)
    for only, expected in ((None, {"dense_1", "dense_2"}), (("dense_2", "score"), {"dense_2"})):
        pruned = with_pruning(student, settings, 10, only)
        wrapped = {one.layer.name for one in pruned.model.layers if hasattr(one, "pruning_vars")}
        assert wrapped == expected


def test_a_training_that_ends_before_its_pruning_is_refused() -> None:
    settings = PruningSettings(sparsity=0.5, begin_epoch=5, end_epoch=25)
    settings.check(26, "teacher")
    with pytest.raises(ValueError, match=r"teacher\.training\.epochs=25 leaves no epoch"):
        settings.check(25, "teacher")


def test_no_pruning_leaves_the_network_dense() -> None:
    assert measure_sparsity(_train(0.0)) < 0.05


def test_measured_sparsity_counts_what_firmware_sees() -> None:
    student = build_student(StudentSettings(layers=[4]), features=57)
    step = 2.0**-5  # six bits, none left of the point
    for layer in student.layers:
        if hasattr(layer, "kernel"):
            kernel = np.full(layer.kernel.shape, 0.4 * step, np.float32)  # rounds to zero
            kernel[0] = step
            layer.set_weights([kernel, layer.get_weights()[1]])
    assert measure_sparsity(student) == pytest.approx((56 * 4 + 3) / (57 * 4 + 4))


SHARES = {"sparse": 0.75, "sparser": 0.9, "dense": 0.0, "unasked": 0.5}


def _sparse_model() -> Any:
    """Layers with shares of zeros, next to weights that are smaller than a training step."""
    rng = np.random.default_rng(0)
    body = [keras.layers.Dense(16, name=name) for name in SHARES]
    model = keras.Sequential([keras.Input((19,)), *body])
    for layer in model.layers:
        kernel = rng.normal(size=layer.kernel.shape) * 10.0 ** rng.uniform(-5, 0, (16,))
        kernel[rng.random(kernel.shape) < SHARES[layer.name]] = 0.0
        layer.set_weights([kernel, layer.get_weights()[1]])
    return model


def _train_held(epochs: int, checkpoint: Path | None = None) -> Any:
    make_deterministic(1)
    held = with_zeros_held(_sparse_model(), ["sparse", "sparser", "dense"])
    x = np.random.default_rng(1).normal(size=(256, 19)).astype(np.float32)
    sample = (x, x[:, :16])
    training = TrainingSettings(epochs=epochs, batch_size=64, learning_rate=0.01, patience=epochs)
    fitted = Fit(
        model=held.model,
        loss=supervised(held.model, "mse"),
        settings=training,
        seed=1,
        callbacks=held.callbacks,
        best_from_epoch=held.full_from_epoch,
    )
    history = fit(fitted, sample, sample, ignore_epoch, checkpoint)
    assert history.validation_loss[-1] < history.validation_loss[0]
    return strip(held.model)


def test_held_zeros_stay_where_they_are() -> None:
    trained, before = _train_held(4), _sparse_model()
    for name in ("sparse", "sparser"):
        zeros = trained.get_layer(name).kernel.numpy() == 0.0
        assert np.mean(zeros) == pytest.approx(SHARES[name], abs=0.05)
        np.testing.assert_array_equal(zeros, before.get_layer(name).kernel.numpy() == 0.0, name)
    for name in ("dense", "unasked"):
        assert np.all(trained.get_layer(name).kernel.numpy() != 0.0), name


def test_held_zeros_outlive_a_kill(tmp_path: Path) -> None:
    _train_held(2, tmp_path / "state.npz")
    resumed, uninterrupted = _train_held(4, tmp_path / "state.npz"), _train_held(4)
    for one, other in zip(resumed.get_weights(), uninterrupted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
