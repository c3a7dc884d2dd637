"""Bringing a teacher to fixed point as a library function, with one that is no autoencoder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings
from l1distill.compression.ptq import post_training_quantize
from l1distill.compression.quantization import QuantizationSettings
from l1distill.compression.teacher import QuantizableTeacher, network_sparsity, quantize_teacher
from l1distill.distillation.teacher import TrainedTeacher, train_teacher
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, evaluate
from l1distill.training.settings import TrainingSettings
from tests.distillation.classifier import Classifier, QuantizableClassifier, points

TRAIN, VALIDATION = points(300, 1), points(100, 2)
TEACHER = QuantizableClassifier()
TRAINING = TrainingSettings(epochs=3, batch_size=32, learning_rate=0.01, patience=3)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def taught() -> TrainedTeacher:
    """A classifier, half of whose hidden layer is pruned."""
    training = TRAINING.model_copy(update={"epochs": 8, "learning_rate": 0.03})
    pruning = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=4)
    return train_teacher(TEACHER, TRAIN, VALIDATION, training, pruning, seed=7)


def _settings(method: Any, bits: int) -> QuantizationSettings:
    return QuantizationSettings(
        method=method, bits=bits, calibration=100, verified=0, time_limit_s=1, training=TRAINING
    )


def _quantize(taught: TrainedTeacher, method: str, bits: int, **options: Any) -> Network:
    chosen = {"seed": 3, **options}
    settings = _settings(method, bits)
    return quantize_teacher(TEACHER, taught.model, settings, TRAIN, VALIDATION, **chosen)


def _dense(network: Network) -> list[Dense]:
    return [layer for layer in network.layers if isinstance(layer, Dense)]


def _cross_entropy(network: Network, examples: tuple[NDArray[Any], NDArray[Any]]) -> float:
    items, labels = examples
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return float(loss(labels, evaluate(network, items)))


def assert_same(one: Network, other: Network) -> None:
    """Numbers and types."""
    for layer, again in zip(_dense(one), _dense(other), strict=True):
        np.testing.assert_array_equal(layer.kernel, again.kernel)
        np.testing.assert_array_equal(layer.bias, again.bias)
        assert (layer.kernel_type, layer.bias_type) == (again.kernel_type, again.bias_type)


@pytest.fixture(scope="module")
def trained_on(taught: TrainedTeacher) -> Network:
    return _quantize(taught, "qat", 4)


def test_only_a_teacher_that_says_how_can_be_quantized() -> None:
    assert isinstance(TEACHER, QuantizableTeacher)
    assert not isinstance(Classifier(), QuantizableTeacher)


@pytest.mark.parametrize("bits", [4, 12])
def test_ptq_is_the_rounding_of_the_part_on_the_training_split(
    taught: TrainedTeacher, bits: int
) -> None:
    network = _quantize(taught, "ptq", bits, on_epoch=lambda *_: pytest.fail("nothing is trained"))
    assert_same(network, post_training_quantize(taught.model, bits, TRAIN[0][:100]))
    assert {layer.type.bits for layer in network.layers if isinstance(layer, Quantize)} == {bits}
    items, _ = points(500, 3)
    expected = TEACHER.answers(taught.model, items)["logits"]
    off = np.abs(evaluate(network, items) - expected)
    assert off.mean() < 8 * np.abs(expected).max() * 2.0**-bits


def test_zeros_of_a_pruned_teacher_stay(taught: TrainedTeacher, trained_on: Network) -> None:
    zeros = taught.model.get_layer("hidden").kernel.numpy() == 0.0
    assert zeros.mean() == 0.5
    hidden, logits = _dense(trained_on)
    assert not hidden.kernel[zeros].any()
    counted = np.concatenate([hidden.kernel.ravel(), logits.kernel.ravel()])
    assert network_sparsity(trained_on) == np.mean(counted == 0.0)
    assert network_sparsity(trained_on) >= zeros.sum() / counted.size


def test_training_on_makes_up_for_the_rounding(taught: TrainedTeacher, trained_on: Network) -> None:
    rounded = _quantize(taught, "ptq", 4)
    assert _cross_entropy(trained_on, VALIDATION) < _cross_entropy(rounded, VALIDATION)
    assert [layer.type for layer in trained_on.layers if isinstance(layer, Quantize)] == [
        layer.type for layer in rounded.layers if isinstance(layer, Quantize)
    ]


def test_the_same_seed_gives_the_same_network_and_epochs_and_another_others(
    taught: TrainedTeacher, trained_on: Network
) -> None:
    told: list[int] = []
    losses: list[float] = []

    def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
        told.append(epoch)
        losses.append(values["val_loss"])

    again = _quantize(taught, "qat", 4, on_epoch=on_epoch)
    assert_same(trained_on, again)
    assert told == [0, 1, 2]
    assert min(losses) == pytest.approx(_cross_entropy(again, VALIDATION), rel=1e-4)
    others = _quantize(taught, "qat", 4, seed=4)
    kernels = [[layer.kernel for layer in _dense(network)] for network in (trained_on, others)]
    assert not all(map(np.array_equal, *kernels))


def test_a_killed_training_goes_on_to_the_same_network(
    taught: TrainedTeacher, trained_on: Network, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "state.npz"

    def kill(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            raise Killed

    with pytest.raises(Killed):
        _quantize(taught, "qat", 4, checkpoint=checkpoint, on_epoch=kill)
    assert_same(trained_on, _quantize(taught, "qat", 4, checkpoint=checkpoint))
