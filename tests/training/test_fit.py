from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings, strip, with_pruning
from l1distill.training.fit import (
    Fit,
    History,
    Sample,
    TrainingSettings,
    fit,
    make_deterministic,
    supervised,
)


def _model() -> keras.Model:
    make_deterministic(5)
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])


def _sample(n: int, noise: float, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return Sample(x, (x.sum(axis=1) + noise * rng.normal(size=n)).astype(np.float32))


SETTINGS = TrainingSettings(epochs=30, batch_size=16, learning_rate=0.3, patience=30)


def _fit(
    model: keras.Model,
    train: Sample,
    validation: Sample,
    settings: TrainingSettings = SETTINGS,
    best_from_epoch: int = 0,
) -> History:
    loss = supervised(model, "mse")
    what = Fit(model, loss, settings, 5, best_from_epoch=best_from_epoch)
    return fit(what, train, validation, lambda *_: None)


def _mse(model: keras.Model, sample: Sample) -> float:
    return float(np.mean((model.predict(sample.inputs, verbose=0)[:, 0] - sample.targets) ** 2))


def test_a_linear_fit_finds_what_least_squares_finds() -> None:
    train = _sample(500, 0.5, 1)
    model = _model()
    patient = TrainingSettings(epochs=300, batch_size=100, learning_rate=0.02, patience=300)
    _fit(model, train, train, patient)
    design = np.column_stack([train.inputs, np.ones(500)])
    solution, *_ = np.linalg.lstsq(design, train.targets, rcond=None)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(np.append(kernel, bias), solution, atol=0.01)


def test_the_model_is_left_with_its_best_weights() -> None:
    model, validation = _model(), _sample(50, 1.0, 2)
    history = _fit(model, _sample(64, 1.0, 1), validation)
    assert len(history.loss) == 30
    assert _mse(model, validation) == pytest.approx(min(history.validation_loss), rel=1e-5)
    assert min(history.validation_loss) < history.validation_loss[-1]


def test_weights_from_before_an_epoch_are_not_kept() -> None:
    model, validation = _model(), _sample(50, 1.0, 2)
    history = _fit(model, _sample(64, 1.0, 1), validation, best_from_epoch=29)
    assert _mse(model, validation) == pytest.approx(history.validation_loss[-1], rel=1e-5)


def test_it_stops_early() -> None:
    patient = SETTINGS.model_copy(update={"patience": 2})
    history = _fit(_model(), _sample(64, 1.0, 1), _sample(50, 1.0, 2), patient)
    assert len(history.loss) < 30
    best = int(np.argmin(history.validation_loss))
    assert len(history.loss) == best + 1 + 2


def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        model = _model()
        _fit(model, _sample(64, 1.0, 1), _sample(50, 1.0, 2))
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_a_nan_loss_stops_the_training() -> None:
    train = _sample(64, 0.0, 1)
    train.targets[3] = np.nan
    with pytest.raises(FloatingPointError, match="learning_rate"):
        _fit(_model(), train, _sample(50, 0.0, 2))


class Killed(Exception):
    pass


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path, sparsity: float) -> None:
    """Weights, optimizer, order of events, pruning and patience, all of them to the last bit."""
    train, validation = _sample(64, 1.0, 1), _sample(50, 1.0, 2)
    settings = SETTINGS.model_copy(update={"epochs": 8})
    pruning = PruningSettings(sparsity=sparsity, begin_epoch=1, end_epoch=4)

    def run(checkpoint: Path | None, kill_after: int | None) -> tuple[list[np.ndarray], list[int]]:
        make_deterministic(5)
        layers = [keras.layers.Input((3,)), keras.layers.Dense(8), keras.layers.Dense(1)]
        pruned = with_pruning(keras.Sequential(layers), pruning, 4)
        seen: list[int] = []

        def on_epoch(epoch: int, losses: Mapping[str, float]) -> None:
            seen.append(epoch)
            if epoch == kill_after:
                raise Killed

        loss = supervised(pruned.model, "mse")
        what = Fit(pruned.model, loss, settings, 5, pruned.callbacks, pruned.full_from_epoch)
        fit(what, train, validation, on_epoch, checkpoint)
        return strip(pruned.model).get_weights() if sparsity else pruned.model.get_weights(), seen

    whole, _ = run(None, None)
    with pytest.raises(Killed):
        run(tmp_path / "state.npz", 4)
    again, seen = run(tmp_path / "state.npz", None)
    assert seen == list(range(8))
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    if sparsity:
        assert (whole[0] == 0).mean() == 0.5
