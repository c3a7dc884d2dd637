"""Checkpoints: the state of a training on disk, from which a killed training goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import write_arrays
from l1distill.training.history import History

if TYPE_CHECKING:
    from tensorflow import keras


def file_of_part(checkpoint: Path | None, part: str) -> Path | None:
    """Return the file beside a checkpoint that keeps the state of one part of the training."""
    if checkpoint is None:
        return None
    return checkpoint.with_name(f"{checkpoint.stem}-{part}{checkpoint.suffix}")


class Checkpoint:
    """The state of a training: everything that has to survive a kill."""

    def __init__(
        self,
        model: "keras.Model",
        optimizer: "keras.optimizers.Optimizer",
        path: Path | None,
        earlier: History | None = None,
    ) -> None:
        """Begin a training, behind earlier epochs or none, or take up the state in the file."""
        self._model, self._optimizer, self._path = model, optimizer, path
        before = earlier or History()
        self.history = History(loss=[*before.loss], validation_loss=[*before.validation_loss])
        self.best_weights: list[NDArray[Any]] = model.get_weights()
        self._best, self._since_best = float("inf"), 0
        self.ended = False
        if path is not None and path.is_file():
            self._load(path)

    @property
    def epoch(self) -> int:
        """The next epoch."""
        return len(self.history.loss)

    def losses(self) -> list[dict[str, float]]:
        """The losses of the epochs that were run so far."""
        return [
            {"loss": loss, "val_loss": validation}
            for loss, validation in zip(
                self.history.loss, self.history.validation_loss, strict=True
            )
        ]

    def add(self, losses: Mapping[str, float], patience: int, best_from_epoch: int) -> None:
        """Takes note of an epoch."""
        epoch = self.epoch
        self.history.loss.append(losses["loss"])
        self.history.validation_loss.append(losses["val_loss"])
        if epoch < best_from_epoch:
            self.best_weights = self._model.get_weights()
        elif losses["val_loss"] < self._best:
            self._best, self._since_best = losses["val_loss"], 0
            self.best_weights = self._model.get_weights()
        else:
            self._since_best += 1
            self.ended = self._since_best >= patience
        if self._path is not None:
            self._save(self._path)

    def _save(self, path: Path) -> None:
        arrays = {f"weight-{i}": a for i, a in enumerate(self._model.get_weights())}
        arrays |= {f"best-{i}": a for i, a in enumerate(self.best_weights)}
        arrays |= {f"optimizer-{i}": v.numpy() for i, v in enumerate(self._optimizer.variables)}
        state = np.array([self._best, self._since_best, self.ended], np.float64)
        history = np.array([self.history.loss, self.history.validation_loss])
        write_arrays(path, {"state": state, "history": history, **arrays})

    def _load(self, path: Path) -> None:
        with np.load(path) as file:
            names = len(self._model.get_weights())
            self._model.set_weights([file[f"weight-{i}"] for i in range(names)])
            self.best_weights = [file[f"best-{i}"] for i in range(names)]
            for i, variable in enumerate(self._optimizer.variables):
                variable.assign(file[f"optimizer-{i}"])
            loss, validation_loss = (row.tolist() for row in file["history"])
            self.history = History(loss=loss, validation_loss=validation_loss)
            self._best, since, ended = (float(value) for value in file["state"])
            self._since_best, self.ended = int(since), bool(ended)
