"""The training of teachers, with one that no task of the package knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.teacher import Teacher, TrainedTeacher, train_teacher
from l1distill.training.settings import TrainingSettings
from tests.distillation.classifier import CLASSES, Classifier, points

TRAIN, VALIDATION = points(300, 1), points(100, 2)
TRAINING = TrainingSettings(epochs=3, batch_size=32, learning_rate=0.03, patience=3)
PRUNING = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=2)
TEACHER: Teacher = Classifier()


class Killed(Exception):
    pass


def _train(**options: Any) -> TrainedTeacher:
    return train_teacher(TEACHER, TRAIN, VALIDATION, TRAINING, **{"seed": 7, **options})


def _weights(trained: TrainedTeacher) -> list[NDArray[np.float32]]:
    weights: list[NDArray[np.float32]] = trained.model.get_weights()
    return weights


@pytest.fixture(scope="module")
def trained() -> TrainedTeacher:
    return _train()


def test_a_classifier_learns_its_classes(trained: TrainedTeacher) -> None:
    items, labels = points(500, 3)
    logits = TEACHER.answers(trained.model, items)["logits"]
    assert logits.shape == (500, CLASSES)
    assert np.mean(logits.argmax(axis=1) == labels) > 0.9
    assert trained.history.validation_loss[-1] < trained.history.validation_loss[0]


def test_the_losses_are_those_of_the_model_that_comes_back(trained: TrainedTeacher) -> None:
    items, labels = VALIDATION
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    best = float(loss(labels, TEACHER.answers(trained.model, items)["logits"]))
    assert trained.metrics() == {
        "parameters": 2 * 8 + 8 + 8 * CLASSES + CLASSES,
        "sparsity": 0.0,
        "epochs": 3.0,
        "best_validation_loss": pytest.approx(best, rel=1e-5),
    }
    assert isinstance(trained.model.get_layer("hidden"), keras.layers.Dense)


def test_the_same_seed_gives_the_same_weights_and_another_others(trained: TrainedTeacher) -> None:
    keras.utils.set_random_seed(99)  # what a notebook did before does not matter
    for one, other in zip(_weights(trained), _weights(_train()), strict=True):
        np.testing.assert_array_equal(one, other)
    others = _weights(_train(seed=8))
    assert not any(map(np.array_equal, _weights(trained), others))


def test_the_layers_that_it_names_are_pruned_and_counted() -> None:
    pruned = _train(pruning=PRUNING)
    hidden, logits = (pruned.model.get_layer(name).kernel.numpy() for name in ("hidden", "logits"))
    assert np.mean(hidden == 0.0) == pruned.sparsity == 0.5
    assert np.all(logits != 0.0)
    assert not any(hasattr(layer, "pruning_vars") for layer in pruned.model.layers)


def test_each_epoch_is_told(trained: TrainedTeacher) -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    _train(on_epoch=lambda epoch, losses: told.append((epoch, losses)))
    history = trained.history
    assert told == [
        (epoch, {"loss": history.loss[epoch], "val_loss": history.validation_loss[epoch]})
        for epoch in range(3)
    ]


def test_a_killed_training_goes_on_to_the_same_bytes(
    trained: TrainedTeacher, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "state.npz"

    def kill(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            raise Killed

    with pytest.raises(Killed):
        _train(checkpoint=checkpoint, on_epoch=kill)
    resumed = _train(checkpoint=checkpoint)
    assert resumed.history == trained.history
    for one, other in zip(_weights(resumed), _weights(trained), strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_of_another_length_are_refused() -> None:
    items, labels = TRAIN
    with pytest.raises(ValueError, match="300 and 299"):
        train_teacher(TEACHER, (items, labels[:-1]), VALIDATION, TRAINING)
    with pytest.raises(ValueError, match="no items"):
        train_teacher(TEACHER, TRAIN, (items[:0], labels[:0]), TRAINING)


def test_a_loss_that_is_not_finite_is_said() -> None:
    items, labels = TRAIN
    spoiled = items.copy()
    spoiled[5] = np.nan
    with pytest.raises(FloatingPointError, match="classifier: the loss became"):
        train_teacher(TEACHER, (spoiled, labels), VALIDATION, TRAINING)
