"""A candidate as far as it is trained: what a search keeps of it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from l1distill.search.weights import Layers
from l1distill.training.history import History

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """A candidate behind some epochs.

    Attributes:
        layers: weights before they are rounded.
        momentum: what Adam remembers of each weight.
        velocity: likewise.
        masks: (inputs, outputs) of each layer, 0 where a weight is pruned; behind their updates.
        best: the weights of the best epoch so far, of those that count.
        best_loss: validation loss of that epoch.
        waited: epochs since then.
        ended: whether it has waited too long, or a loss was not finite.
        failed: whether a loss was not finite.
        history: losses by epoch.
    """

    layers: Layers
    momentum: Layers
    velocity: Layers
    masks: Sequence[Array]
    best: Layers
    best_loss: float = float("inf")
    waited: int = 0
    ended: bool = False
    failed: bool = False
    history: History = field(default_factory=History)

    @classmethod
    def begin(cls, layers: Layers) -> "Snapshot":
        """Return an untrained candidate."""
        nothing = [(np.zeros_like(kernel), np.zeros_like(bias)) for kernel, bias in layers]
        masks = [np.ones_like(kernel) for kernel, _ in layers]
        return cls(layers=layers, momentum=nothing, velocity=nothing, masks=masks, best=layers)

    @property
    def epochs(self) -> int:
        """Epochs that it was trained for."""
        return len(self.history.loss)

    def with_new_optimizer(self) -> "Snapshot":
        """Return it with an Adam that remembers nothing."""
        new = Snapshot.begin(self.layers)
        return replace(self, momentum=new.momentum, velocity=new.velocity)

    def after(
        self, losses: tuple[float, float], trained: "Snapshot", patience: int, counts: bool
    ) -> "Snapshot":
        """Return it behind one epoch more.

        Args:
            losses: of the training and the validation items.
            trained: its weights and masks then.
            patience: epochs without a better validation loss after which it has ended.
            counts: whether the weights of this epoch may be kept: not before they are as sparse as
                was asked for.
        """
        if self.ended:
            return self
        loss, validation_loss = losses
        history = History(
            loss=[*self.history.loss, loss],
            validation_loss=[*self.history.validation_loss, validation_loss],
        )
        now = replace(
            trained,
            best=self.best,
            best_loss=self.best_loss,
            waited=self.waited,
            ended=self.ended,
            failed=self.failed,
            history=history,
        )
        if not (np.isfinite(loss) and np.isfinite(validation_loss)):
            return replace(now, ended=True, failed=True)
        if not counts:
            return replace(now, best=trained.layers)
        if validation_loss < self.best_loss:
            return replace(now, best=trained.layers, best_loss=validation_loss, waited=0)
        return replace(now, waited=self.waited + 1, ended=self.waited + 1 >= patience)

    def to_bytes(self) -> bytes:
        """Return it as a compressed NumPy archive."""
        arrays: dict[str, NDArray[np.generic]] = {
            "state": np.array([self.best_loss, self.waited, self.ended, self.failed], np.float64),
            "history": np.array([self.history.loss, self.history.validation_loss], np.float64),
        }
        for part in ("layers", "momentum", "velocity", "best"):
            for number, (kernel, bias) in enumerate(getattr(self, part)):
                arrays |= {f"{part}-{number}-kernel": kernel, f"{part}-{number}-bias": bias}
        for number, mask in enumerate(self.masks):
            arrays[f"mask-{number}"] = mask.astype(np.bool_)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Snapshot":
        """Return what :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            layers = sum(name.startswith("mask-") for name in file.files)
            parts = {
                part: [
                    (file[f"{part}-{number}-kernel"], file[f"{part}-{number}-bias"])
                    for number in range(layers)
                ]
                for part in ("layers", "momentum", "velocity", "best")
            }
            best_loss, waited, ended, failed = (float(value) for value in file["state"])
            loss, validation_loss = (row.tolist() for row in file["history"])
            return cls(
                **parts,
                masks=[file[f"mask-{number}"].astype(np.float32) for number in range(layers)],
                best_loss=best_loss,
                waited=int(waited),
                ended=bool(ended),
                failed=bool(failed),
                history=History(loss=loss, validation_loss=validation_loss),
            )
