"""How a network is fitted: epochs, batch size, learning rate and its schedule."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings


class ScheduleSettings(Settings):
    """How the learning rate changes from epoch to epoch."""

    kind: Literal["constant", "plateau", "cosine"] = "constant"
    """``constant``; ``plateau`` multiplies it by ``factor`` after ``patience`` epochs without a
    better validation loss; ``cosine`` lets it fall to zero over ``epochs``."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """Of ``plateau``: what the learning rate is multiplied by."""
    patience: int = Field(default=2, gt=0)
    """Of ``plateau``: epochs without a better validation loss before that."""


class TrainingSettings(Settings):
    """Adam with early stopping."""

    epochs: int = Field(default=100, gt=0)
    """Maximum number of passes over the training split."""
    batch_size: int = Field(default=256, gt=0)
    """Items per optimizer step."""
    learning_rate: float = Field(default=0.003, gt=0)
    """Learning rate of Adam; where a schedule changes it, the one to begin with."""
    patience: int = Field(default=10, gt=0)
    """Epochs without a better validation loss after which the training stops."""
    schedule: ScheduleSettings = ScheduleSettings()
    """How the learning rate changes from epoch to epoch."""
