"""Families of students and what may be chosen of them, down to the integers of firmware."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.student import Examples, train_student
from l1distill.firmware.network.layers import Conv2D, Dense, Quantize
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.models.cnn import CnnSettings, check_cnn
from l1distill.models.families import build_network
from l1distill.models.float_twin import float_twin
from l1distill.models.folded_batch_norm import fold_batch_norm
from l1distill.models.mlp import StudentSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.training.determinism import make_deterministic
from l1distill.training.settings import TrainingSettings

SHAPE = (5, 3)
TRAINING = TrainingSettings(epochs=4, batch_size=50, learning_rate=0.01, patience=9)
PRUNING = PruningSettings(sparsity=0.5, begin_epoch=1, end_epoch=3)
BOTH = CnnSettings(
    filters=[2], kernels=[[1, 3]], pools=[[2, 1]], layers=[3], training=TRAINING,
    batch_norm="folded", float_epochs=2,
)  # fmt: skip


def _examples(n: int, seed: int) -> Examples:
    x = np.random.default_rng(seed).normal(size=(n, 15)).astype(np.float32)
    return Examples(features=x, targets=x[:, :1] - np.abs(x[:, 4:5]))


TRAIN, VALIDATION = _examples(200, 1), _examples(100, 2)


def _train(settings: NetworkSettings, **options: Any) -> TrainedStudent:
    return train_student(
        TRAIN, VALIDATION, settings, pruning=PRUNING, shape=SHAPE, seed=3, **options
    )


@pytest.fixture(scope="module")
def trained() -> TrainedStudent:
    return _train(BOTH)


def _agrees(model: Any, network: Network) -> None:
    """Hold QKeras against the integers of the emulator."""
    x = 4 * TRAIN.features
    given = model.predict(x, verbose=0)
    np.testing.assert_array_equal(trace_network(network).predict(x), given)
    assert len(np.unique(given)) > 20


def test_each_layer_has_the_widths_of_its_own_down_to_the_firmware() -> None:
    settings = StudentSettings(
        layers=[4, 3], weight_bits=[7, 4, 5], weight_integer=[1, 0, 0], bias_bits=[9, 8, 3],
        bias_integer=1, activation_bits=[6, 3], activation_integer=[2, 1], input_bits=7,
    )  # fmt: skip
    make_deterministic(1)
    student = build_network(settings, SHAPE, 1)
    rng = np.random.default_rng(0)
    student.set_weights([rng.normal(0, 0.7, w.shape) for w in student.get_weights()])
    network = from_qkeras(student)
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    for name, layer, kernel, bias in zip(
        ("dense_1", "dense_2", "score"), dense, ((7, 1), (4, 0), (5, 0)), (9, 8, 3), strict=True
    ):
        quantizers = student.get_layer(name).get_quantizers()
        assert [(one.bits, one.integer) for one in quantizers] == [kernel, (bias, 1)], name
        for values, bits, integer in ((layer.kernel, *kernel), (layer.bias, bias, 1)):
            codes = values * 2.0 ** (bits - 1 - integer)
            np.testing.assert_array_equal(codes, np.round(codes))
            assert -(2 ** (bits - 1)) <= codes.min() <= codes.max() < 2 ** (bits - 1)
    widths = [one.type.bits for one in network.layers if isinstance(one, Quantize)]
    assert [network.input_type.bits, *widths] == [7, 6, 3, settings.output_bits]
    _agrees(student, network)


def test_a_bias_without_bits_of_its_own_has_those_of_its_weights() -> None:
    student = build_network(StudentSettings(layers=[4], weight_bits=[5, 8]), SHAPE, 1)
    for name, bits in (("dense_1", 5), ("score", 8)):
        assert [one.bits for one in student.get_layer(name).get_quantizers()] == [bits, bits]


@pytest.mark.parametrize(
    ("family", "chosen", "says"),
    [
        (
            StudentSettings,
            {"weight_bits": [6, 4]},
            r"weight_bits=\[6, 4\]: give one number for",
        ),
        (
            StudentSettings,
            {"activation_bits": [6] * 3},
            r"activation_bits=.*: give one number for",
        ),
        (StudentSettings, {"bias_bits": []}, r"bias_bits=\[\]: give one number for each"),
        (StudentSettings, {"float_epochs": 60}, "float_epochs=60 leaves no epoch of training.epo"),
        (StudentSettings, {"quantized": False, "float_epochs": 2}, "quantized=false rounds in no"),
        (CnnSettings, {"weight_bits": [6, 4, 4]}, "layers conv_1, conv_2, dense_1, score, or"),
        (CnnSettings, {"kernels": [[1, 3]]}, r"kernels=\[\[1, 3\]\]: 1 for 2 convolutions"),
        (CnnSettings, {"kernels": [[3], [1, 1]]}, "at least 2 items"),
    ],
)
def test_what_does_not_fit_together_is_named(
    family: type[NetworkSettings], chosen: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        family.model_validate(chosen)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((57,), r"student.family=cnn: .* shape \[57\], without rows and columns; choose student.f"),
        ((19, 2), r"student.kernels: convolution 1 takes \[1, 3\] .* \[19, 2\] left of \[19, 2\]"),
        ((3, 3), r"student.kernels: convolution 2 takes \[3, 1\] .* \[3, 1\] left of \[3, 3\]"),
    ],
)
def test_items_that_a_cnn_cannot_take_are_refused(shape: tuple[int, ...], says: str) -> None:
    check_cnn(CnnSettings(), (8, 8))
    check_cnn(CnnSettings(), (19, 3))
    with pytest.raises(ConfigError, match=says):
        build_network(CnnSettings(), shape, 1)


def test_a_cnn_with_all_of_it_is_plain_layers_and_the_firmware_agrees(
    trained: TrainedStudent,
) -> None:
    names = [type(layer).__name__ for layer in trained.model.layers]
    assert names.count("QConv2D") == 1
    assert names.count("QDense") == 2
    assert not any("Norm" in name for name in names)
    assert trained.model.get_layer("conv_1").output_shape == (None, 5, 1, 2)
    assert trained.sparsity >= 0.45
    network = from_qkeras(trained.model)
    assert any(isinstance(layer, Conv2D) for layer in network.layers)
    _agrees(trained.model, network)


def test_the_best_epoch_is_one_of_the_quantized_ones(trained: TrainedStudent) -> None:
    """Only the last of four is quantized and pruned in full; the losses are all there."""
    answers = trained.predict(VALIDATION.features)
    mse = float(np.mean((answers - VALIDATION.targets) ** 2))
    assert len(trained.history.loss) == 4
    assert mse == pytest.approx(trained.history.validation_loss[3], rel=1e-5)
    assert trained.metrics()["best_validation_loss"] == min(trained.history.validation_loss[2:])


class _Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [0, 2])
def test_killed_in_either_phase_it_goes_on_to_the_same_bytes(
    epoch: int, trained: TrainedStudent, tmp_path: Path
) -> None:
    file = tmp_path / "training.npz"
    told: list[int] = []

    def kill(number: int, _: Any) -> None:
        if number == epoch:
            raise _Killed

    with pytest.raises(_Killed):
        _train(BOTH, on_epoch=kill, checkpoint=file)
    again = _train(BOTH, on_epoch=lambda number, _: told.append(number), checkpoint=file)
    assert told == [0, 1, 2, 3]
    assert again.history == trained.history
    for one, other in zip(again.model.get_weights(), trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_float_phase_rounds_nothing_and_keeps_the_ranges() -> None:
    settings = StudentSettings(layers=[4], activation_integer=0)
    make_deterministic(2)
    student = build_network(settings, SHAPE, 1)
    weights = [w.astype(np.float64) for w in student.get_weights()]
    x = 3 * TRAIN.features
    given = float_twin(student).predict(x, verbose=0)
    cut = np.clip(x, -8.0, 8.0)  # to a step, as QKeras says where a quantizer ends
    hidden = np.clip(cut @ weights[0] + weights[1], 0.0, 1.0)
    np.testing.assert_allclose(given, hidden @ weights[2] + weights[3], atol=1e-5)
    assert np.abs(given - student.predict(x, verbose=0)).max() > 1e-3


def _normalized(sums: NDArray[Any], layer: Any) -> NDArray[Any]:
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    scaled = (sums - mean) / np.sqrt(variance + 1e-3)
    normalized: NDArray[Any] = scaled * layer.gamma.numpy() + layer.beta.numpy()
    return normalized


def test_folded_batch_normalization_is_the_unfolded_one_within_the_grid() -> None:
    """Against the formula in numpy, with wide weights; and against itself, bit for bit."""
    settings = StudentSettings(
        layers=[4], batch_norm="folded", weight_bits=16, weight_integer=3, activation_bits=16,
        activation_integer=8, input_bits=16, output_bits=24, output_integer=8,
    )  # fmt: skip
    make_deterministic(4)
    student = build_network(settings, SHAPE, 1)
    rng = np.random.default_rng(1)
    student.set_weights([np.abs(rng.normal(0.5, 0.3, w.shape)) for w in student.get_weights()])
    hidden, score = student.get_layer("dense_1"), student.get_layer("score")
    x = TRAIN.features.astype(np.float64)
    sums = _normalized(x @ hidden.kernel.numpy() + hidden.bias.numpy(), hidden)
    expected = np.maximum(sums, 0.0) @ score.kernel.numpy() + score.bias.numpy()
    given = student.predict(TRAIN.features, verbose=0)
    np.testing.assert_allclose(given, expected, atol=0.01)
    folded = fold_batch_norm(student)
    assert len(folded.get_weights()) == 4
    np.testing.assert_array_equal(folded.predict(TRAIN.features, verbose=0), given)


def test_training_moves_the_statistics_to_those_of_the_sums() -> None:
    make_deterministic(4)
    layer = build_network(StudentSettings(layers=[4], batch_norm="folded"), SHAPE, 1).get_layer(
        "dense_1"
    )
    sums = TRAIN.features @ layer.kernel.numpy() + layer.bias.numpy()
    layer(TRAIN.features, training=False)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0.0)
    layer(TRAIN.features, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.01 * sums.mean(0), atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.99 + 0.01 * sums.var(0), atol=1e-5)
