"""Losses by epoch, in memory and as CSV."""

from dataclasses import dataclass, field
from pathlib import Path

from l1distill.evaluation.curves import write_csv


@dataclass(frozen=True, kw_only=True)
class History:
    """Losses by epoch.

    Attributes:
        loss: mean over the training items of each epoch.
        validation_loss: mean over the validation items after each epoch.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write both losses as CSV: epoch, loss, validation_loss."""
        rows = zip(range(1, len(self.loss) + 1), self.loss, self.validation_loss, strict=True)
        write_csv(path, ("epoch", "loss", "validation_loss"), rows)

    def metrics(self, first: int = 0) -> dict[str, float]:
        """Return ``epochs`` and ``best_validation_loss``.

        Args:
            first: the first epoch whose loss counts as one of the model.
        """
        return {
            "epochs": float(len(self.loss)),
            "best_validation_loss": min(self.validation_loss[first:]),
        }
