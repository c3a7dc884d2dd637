"""Learning rates, against Keras's own callback."""

import math

import numpy as np
import pytest
from tensorflow import keras

from l1distill.training.schedule import learning_rate
from l1distill.training.settings import ScheduleSettings, TrainingSettings


def _settings(**schedule: object) -> TrainingSettings:
    return TrainingSettings(
        epochs=20, learning_rate=0.4, schedule=ScheduleSettings.model_validate(schedule)
    )


@pytest.mark.parametrize(("factor", "patience"), [(0.1, 2), (0.5, 1), (0.2, 3)])
def test_a_plateau_is_what_keras_takes_for_one(factor: float, patience: int) -> None:
    losses = np.round(np.random.default_rng(patience).uniform(0.5, 1.0, 20), 4).tolist()
    losses[5] = losses[4] - 0.00005  # better, but not by enough
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.4))
    theirs = keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience)
    theirs.set_model(model)
    theirs.on_train_begin()
    settings = _settings(kind="plateau", factor=factor, patience=patience)
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        ours = learning_rate(settings, losses[: epoch + 1])
        assert ours == pytest.approx(float(model.optimizer.learning_rate), rel=1e-6)
    assert ours < 0.4


def test_epochs_before_the_pruning_ends_are_no_plateau() -> None:
    settings = _settings(kind="plateau", factor=0.5, patience=1)
    losses = [1.0, 2.0, 3.0, 4.0]
    assert learning_rate(settings, losses, best_from_epoch=3) == 0.4
    assert learning_rate(settings, [*losses, 4.0], best_from_epoch=3) == 0.2


def test_cosine_falls_to_zero_and_constant_stays() -> None:
    cosine = [learning_rate(_settings(kind="cosine"), [1.0] * epoch) for epoch in range(21)]
    assert cosine[0] == 0.4
    assert cosine[5] == pytest.approx(0.2 * (1 + math.sqrt(0.5)))
    assert cosine[10] == pytest.approx(0.2)
    assert cosine[20] == pytest.approx(0.0, abs=1e-12)
    assert learning_rate(_settings(), [1.0] * 9) == 0.4
