"""Students that nodes and inputs are taken from, by every scheme, down to the firmware."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from l1distill.compression.node_settings import NodePruningSettings
from l1distill.distillation.pupil import Pupil, TrainedStudent
from l1distill.distillation.student import train_student
from l1distill.firmware.network.layers import Dense
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.models import keras_files
from l1distill.models.cnn import CnnSettings
from l1distill.models.mlp import StudentSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.training.determinism import make_deterministic
from tests.distillation import test_schemes as schemes
from tests.models import test_student_families as families

MLP = StudentSettings(layers=[6, 5], batch_norm="folded", training=families.TRAINING)
CNN = CnnSettings(
    filters=[3], kernels=[[1, 3]], pools=[[2, 1]], layers=[4], training=families.TRAINING,
    batch_norm="folded",
)  # fmt: skip
SETTINGS = NodePruningSettings(nodes=4, features=6, begin=0.0, end=0.5)


@pytest.mark.parametrize(
    ("student", "exponents"), [(MLP, tuple(range(-2, 3)) * 3), (CNN, ()), (CNN, (1,) * 15)]
)
def test_what_is_left_answers_the_same_to_the_bit_as_firmware_does(
    student: NetworkSettings, exponents: tuple[int, ...], tmp_path: Path
) -> None:
    """Not trained: gates are closed by hand, and every weight and statistic is drawn."""
    make_deterministic(1)
    pupil = Pupil(student, SETTINGS, items=200, shape=(5, 3), outputs=1, input_exponents=exponents)
    rng = np.random.default_rng(2)
    for layer in pupil.model.layers:
        if hasattr(layer, "kernel"):
            layer.set_weights([np.abs(rng.normal(0.2, 0.4, w.shape)) for w in layer.get_weights()])
    closed = {"dense_1": [0, 3], "dense_2": [1], "conv_1": [1], "features": [0, 4, 14]}
    pools = {
        name: layer.pool
        for layer in pupil.model.layers
        if hasattr(layer, "pool") and (name := getattr(layer, "gated", ""))
    }
    for name, pool in pools.items():
        mask = pool.mask.numpy()
        mask[pool.place(name)][closed[name]] = 0.0
        pool.mask.assign(mask)
        pool.gate.assign(mask)
    x = 2 * families.TRAIN.features
    masked = pupil.model.predict(x, verbose=0)
    assert len(np.unique(masked)) > 20
    small = pupil._quantized.finished()
    np.testing.assert_array_equal(small.predict(x, verbose=0), masked)
    left = families.fold_batch_norm(small)
    keras_files.save(left, tmp_path / "student.h5")
    network = from_qkeras(keras_files.load(tmp_path / "student.h5"))
    np.testing.assert_array_equal(trace_network(network).predict(x), masked)
    moved = x.copy()
    moved[:, closed["features"]] -= 5.0
    np.testing.assert_array_equal(trace_network(network).predict(moved), masked)
    if student is MLP:
        first = next(layer for layer in network.layers if isinstance(layer, Dense))
        assert first.kernel.shape == (12, 4)


@pytest.mark.parametrize("scheme", schemes.SCHEMES)
def test_a_killed_training_goes_on_to_the_same_bytes_by_every_scheme(
    scheme: Any, tmp_path: Path
) -> None:
    make_deterministic(3)
    teacher: keras.Model = schemes.TEACHER.build()
    state, of_the_killed = tmp_path / "state.npz", tmp_path / "killed.npz"
    pruning = NodePruningSettings(nodes=3, features=1, begin=0.0, end=0.6)

    def keep(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            shutil.copy(state, of_the_killed)

    whole = schemes._run(scheme, teacher, pruning=pruning, checkpoint=state, on_epoch=keep)
    resumed = schemes._run(scheme, teacher, pruning=pruning, checkpoint=of_the_killed)
    assert resumed.history == whole.history
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.student.get_layer("dense_1").kernel.shape == (1, 3)


def _train(student: NetworkSettings, **chosen: Any) -> TrainedStudent:
    settings = SETTINGS.model_copy(update=chosen)
    return train_student(
        families.TRAIN, families.VALIDATION, student, pruning=settings, shape=(5, 3), seed=3
    )


def test_behind_a_float_phase_exactly_as_many_are_left() -> None:
    trained = _train(MLP.model_copy(update={"float_epochs": 2}))
    metrics = trained.metrics()
    assert (metrics["nodes_used"], metrics["nodes_asked"]) == (4.0, 4.0)
    assert (metrics["features_used"], metrics["features_asked"]) == (6.0, 6.0)
    assert metrics["parameters"] == 6 * 2 + 2 + 2 * 2 + 2 + 2 + 1
    answers = trained.predict(families.VALIDATION.features)
    mse = float(np.mean((answers - families.VALIDATION.targets) ** 2))
    assert mse == pytest.approx(metrics["best_validation_loss"], rel=1e-5)


def test_from_scratch_it_has_that_size_from_the_start() -> None:
    trained = _train(MLP, score="from_scratch", features=None, nodes=7)
    assert trained.model.get_layer("dense_1").kernel.shape == (15, 4)
    assert trained.metrics()["nodes_used/dense_2"] == 3.0


def test_in_floating_point_it_rounds_nothing_and_is_left_as_small() -> None:
    trained = _train(MLP.model_copy(update={"quantized": False}), feature_score="permutation")
    metrics = trained.metrics()
    assert (metrics["nodes_used"], metrics["features_used"]) == (4.0, 6.0)
    model = trained.model
    # what it answers follows from its weights alone
    x = families.VALIDATION.features[:, list(trained.structure.features)]  # type: ignore[union-attr, arg-type]
    for name in ("dense_1", "dense_2"):
        kernel, bias = model.get_layer(name).get_weights()
        x = np.maximum(x @ kernel + bias, 0.0)
    kernel, bias = model.get_layer("score").get_weights()
    answers = trained.predict(families.VALIDATION.features)
    np.testing.assert_allclose(answers, x @ kernel + bias, atol=1e-5)
    steps = answers * 2.0**9  # of the output quantizer
    assert np.abs(steps - np.round(steps)).max() > 0.01
