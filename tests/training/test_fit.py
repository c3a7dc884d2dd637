from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, fit, ignore_epoch, supervised
from l1distill.training.history import History
from l1distill.training.settings import TrainingSettings

Sample = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Inputs (n, 3) and targets (n,)."""


def model_of_a_line() -> keras.Model:
    make_deterministic(5)
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])


def noisy_sample(n: int, noise: float, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, (x.sum(axis=1) + noise * rng.normal(size=n)).astype(np.float32)


SETTINGS = TrainingSettings(epochs=30, batch_size=16, learning_rate=0.3, patience=30)


def _fit(
    model: keras.Model,
    train: Sample,
    validation: Sample,
    settings: TrainingSettings = SETTINGS,
    best_from_epoch: int = 0,
) -> History:
    training = Fit(
        model=model,
        loss=supervised(model, "mse"),
        settings=settings,
        seed=5,
        best_from_epoch=best_from_epoch,
    )
    return fit(training, train, validation, ignore_epoch)


def _mse(model: keras.Model, sample: Sample) -> float:
    inputs, targets = sample
    return float(np.mean((model.predict(inputs, verbose=0)[:, 0] - targets) ** 2))


def test_a_linear_fit_finds_what_least_squares_finds() -> None:
    train = noisy_sample(500, 0.5, 1)
    model = model_of_a_line()
    patient = TrainingSettings(epochs=300, batch_size=100, learning_rate=0.02, patience=300)
    _fit(model, train, train, patient)
    inputs, targets = train
    design = np.column_stack([inputs, np.ones(500)])
    solution, *_ = np.linalg.lstsq(design, targets, rcond=None)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(np.append(kernel, bias), solution, atol=0.01)


def test_the_model_is_left_with_its_best_weights() -> None:
    model, validation = model_of_a_line(), noisy_sample(50, 1.0, 2)
    history = _fit(model, noisy_sample(64, 1.0, 1), validation)
    assert len(history.loss) == 30
    assert _mse(model, validation) == pytest.approx(min(history.validation_loss), rel=1e-5)
    assert min(history.validation_loss) < history.validation_loss[-1]


def test_weights_from_before_an_epoch_are_not_kept() -> None:
    model, validation = model_of_a_line(), noisy_sample(50, 1.0, 2)
    history = _fit(model, noisy_sample(64, 1.0, 1), validation, best_from_epoch=29)
    assert _mse(model, validation) == pytest.approx(history.validation_loss[-1], rel=1e-5)


def test_it_stops_early() -> None:
    patient = SETTINGS.model_copy(update={"patience": 2})
    history = _fit(model_of_a_line(), noisy_sample(64, 1.0, 1), noisy_sample(50, 1.0, 2), patient)
    assert len(history.loss) < 30
    best = int(np.argmin(history.validation_loss))
    assert len(history.loss) == best + 1 + 2


def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        model = model_of_a_line()
        _fit(model, noisy_sample(64, 1.0, 1), noisy_sample(50, 1.0, 2))
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*weights)


@pytest.mark.fault(
    stage="teacher",
    fault="NaN metric",
    outcome="a loss that is NaN ends the training with an error that names the learning rate",
)
@pytest.mark.fault(
    stage="student",
    fault="NaN metric",
    outcome="a loss that is NaN ends the training with an error that names the learning rate",
)
def test_a_nan_loss_stops_the_training() -> None:
    train = noisy_sample(64, 0.0, 1)
    train[1][3] = np.nan
    with pytest.raises(FloatingPointError, match="learning_rate"):
        _fit(model_of_a_line(), train, noisy_sample(50, 0.0, 2))


def test_each_epoch_is_told_with_its_losses() -> None:
    told = []
    loss, settings = supervised(model := model_of_a_line(), "mse"), SETTINGS
    history = fit(
        Fit(model=model, loss=loss, settings=settings, seed=5),
        noisy_sample(64, 1.0, 1),
        noisy_sample(50, 1.0, 2),
        lambda epoch, losses: told.append((epoch, losses["loss"], losses["val_loss"])),
    )
    assert told == list(zip(range(30), history.loss, history.validation_loss, strict=True))


def test_epochs_of_an_earlier_run_are_told_apart(tmp_path: Path) -> None:
    ours, earlier = [], []

    class Told:
        def __call__(self, epoch: int, _losses: Mapping[str, float]) -> None:
            ours.append(epoch)

        def tell_earlier(self, epoch: int, _losses: Mapping[str, float]) -> None:
            earlier.append(epoch)

    loss = supervised(model := model_of_a_line(), "mse")
    training = Fit(model=model, loss=loss, settings=SETTINGS, seed=5, until=4)
    data = noisy_sample(64, 1.0, 1), noisy_sample(50, 1.0, 2)
    fit(training, *data, ignore_epoch, tmp_path / "state.npz")
    fit(replace(training, until=7), *data, Told(), tmp_path / "state.npz")
    assert (earlier, ours) == ([0, 1, 2, 3], [4, 5, 6])


def test_another_seed_gives_other_weights() -> None:
    """Of the order of events alone: both networks begin with the same weights."""
    kernels = []
    for seed in (5, 6):
        model = model_of_a_line()
        training = Fit(model=model, loss=supervised(model, "mse"), settings=SETTINGS, seed=seed)
        fit(training, noisy_sample(64, 1.0, 1), noisy_sample(50, 1.0, 2), ignore_epoch)
        kernels.append(model.get_weights()[0])
    assert not np.array_equal(*kernels)
