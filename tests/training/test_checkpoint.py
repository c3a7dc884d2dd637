"""A training that was killed goes on from its checkpoint."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings, strip, with_pruning
from l1distill.training.checkpoint import Checkpoint
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, fit, supervised
from tests.training.test_fit import SETTINGS, model_of_a_line, noisy_sample


class Killed(Exception):
    pass


@pytest.mark.fault(
    stage="teacher",
    fault="SIGKILL during training",
    outcome="run again it goes on from its last epoch, to the same weights",
)
@pytest.mark.fault(
    stage="student",
    fault="SIGKILL during training",
    outcome="run again it goes on from its last epoch, to the same weights",
)
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path: Path, sparsity: float) -> None:
    """Weights, optimizer, order of events, pruning and patience, all of them to the last bit."""
    train, validation = noisy_sample(64, 1.0, 1), noisy_sample(50, 1.0, 2)
    settings = SETTINGS.model_copy(update={"epochs": 8})
    pruning = PruningSettings(sparsity=sparsity, begin_epoch=1, end_epoch=4)

    def run(
        checkpoint: Path | None, kill_after: int | None
    ) -> tuple[list[NDArray[np.float32]], list[int]]:
        make_deterministic(5)
        layers = [keras.layers.Input((3,)), keras.layers.Dense(8), keras.layers.Dense(1)]
        pruned = with_pruning(keras.Sequential(layers), pruning, 4)
        seen: list[int] = []

        def on_epoch(epoch: int, losses: Mapping[str, float]) -> None:
            seen.append(epoch)
            if epoch == kill_after:
                raise Killed

        training = Fit(
            model=pruned.model,
            loss=supervised(pruned.model, "mse"),
            settings=settings,
            seed=5,
            callbacks=pruned.callbacks,
            best_from_epoch=pruned.full_from_epoch,
        )
        fit(training, train, validation, on_epoch, checkpoint)
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


def test_patience_is_counted_over_a_kill(tmp_path: Path) -> None:
    """Two epochs without a better loss before the kill and one after it are three."""
    path, optimizer = tmp_path / "state.npz", keras.optimizers.Adam()
    state = Checkpoint(model_of_a_line(), optimizer, path)
    for validation_loss in (1.0, 2.0, 3.0):
        state.add({"loss": 1.0, "val_loss": validation_loss}, patience=3, best_from_epoch=0)
        assert not state.ended
    resumed = Checkpoint(model_of_a_line(), optimizer, path)
    assert (resumed.epoch, resumed.ended) == (3, False)
    assert resumed.losses() == [{"loss": 1.0, "val_loss": value} for value in (1.0, 2.0, 3.0)]
    resumed.add({"loss": 1.0, "val_loss": 1.0}, patience=3, best_from_epoch=0)
    assert resumed.ended
    assert Checkpoint(model_of_a_line(), optimizer, path).ended
