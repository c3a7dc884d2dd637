import numpy as np
import pytest
from tensorflow import keras

from l1distill.models.training import Sample, TrainingSettings, fit, make_deterministic


def _model() -> keras.Model:
    make_deterministic(5)
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])


def _sample(n: int, noise: float, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return Sample(x, (x.sum(axis=1) + noise * rng.normal(size=n)).astype(np.float32))


SETTINGS = TrainingSettings(epochs=30, batch_size=16, learning_rate=0.3, patience=30)


def test_the_model_is_left_with_its_best_weights() -> None:
    model, validation = _model(), _sample(50, 1.0, 2)
    history = fit(model, "mse", _sample(64, 1.0, 1), validation, SETTINGS, lambda *_: None)
    final = model.evaluate(*validation, verbose=0)
    assert len(history.loss) == 30
    assert final == pytest.approx(min(history.validation_loss), rel=1e-5)
    assert min(history.validation_loss) < history.validation_loss[-1]


def test_weights_from_before_an_epoch_are_not_kept() -> None:
    model, validation = _model(), _sample(50, 1.0, 2)
    history = fit(
        model, "mse", _sample(64, 1.0, 1), validation, SETTINGS, lambda *_: None, best_from_epoch=29
    )
    final = model.evaluate(*validation, verbose=0)
    assert final == pytest.approx(history.validation_loss[-1], rel=1e-5)


def test_it_stops_early() -> None:
    patient = SETTINGS.model_copy(update={"patience": 2})
    history = fit(
        _model(), "mse", _sample(64, 1.0, 1), _sample(50, 1.0, 2), patient, lambda *_: None
    )
    assert len(history.loss) < 30


def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        model = _model()
        fit(model, "mse", _sample(64, 1.0, 1), _sample(50, 1.0, 2), SETTINGS, lambda *_: None)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_a_nan_loss_stops_the_training() -> None:
    train = _sample(64, 0.0, 1)
    train.targets[3] = np.nan
    with pytest.raises(FloatingPointError, match="learning_rate"):
        fit(_model(), "mse", train, _sample(50, 0.0, 2), SETTINGS, lambda *_: None)
