"""How a network is fitted: epochs, batch size, learning rate."""

from pydantic import Field

from l1distill.core.settings import Settings


class TrainingSettings(Settings):
    """Adam with early stopping."""

    epochs: int = Field(default=100, gt=0)
    """Maximum number of passes over the training split."""
    batch_size: int = Field(default=256, gt=0)
    """Items per optimizer step."""
    learning_rate: float = Field(default=0.003, gt=0)
    """Learning rate of Adam."""
    patience: int = Field(default=10, gt=0)
    """Epochs without a better validation loss after which the training stops."""
