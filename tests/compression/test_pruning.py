import numpy as np
import pytest

from l1distill.compression.pruning import (
    PruningSettings,
    measure_sparsity,
    strip,
    with_pruning,
)
from l1distill.models.students import StudentSettings, build_student
from l1distill.models.training import Sample, TrainingSettings, fit, make_deterministic
from tests.settings import conf


def _train(sparsity: float):  # type: ignore[no-untyped-def]
    make_deterministic(1)
    student = build_student(
        StudentSettings.model_validate({**conf("student/mlp"), "layers": [8], "weight_bits": 16})
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 57)).astype(np.float32)
    sample = Sample(x, x[:, 0])
    settings = PruningSettings(sparsity=sparsity, begin_epoch=1, end_epoch=6)
    pruned = with_pruning(student, settings, steps_per_epoch=4)
    training = TrainingSettings(epochs=8, batch_size=64, learning_rate=0.01, patience=8)
    fit(
        pruned.model,
        "mse",
        sample,
        sample,
        training,
        lambda *_: None,
        pruned.callbacks,
        pruned.full_from_epoch,
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


def test_no_pruning_leaves_the_network_dense() -> None:
    assert measure_sparsity(_train(0.0)) < 0.05


def test_measured_sparsity_counts_what_firmware_sees() -> None:
    student = build_student(StudentSettings.model_validate({**conf("student/mlp"), "layers": [4]}))
    step = 2.0**-5  # six bits, none left of the point
    for layer in student.layers:
        if hasattr(layer, "kernel"):
            kernel = np.full(layer.kernel.shape, 0.4 * step, np.float32)  # rounds to zero
            kernel[0] = step
            layer.set_weights([kernel, layer.get_weights()[1]])
    assert measure_sparsity(student) == pytest.approx((56 * 4 + 3) / (57 * 4 + 4))
