"""A network as it was at an earlier epoch, which teaches the epochs that follow.

Snapshot distillation (Yang, Xie, Su and Yuille, arXiv:1812.00123).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.distillation.open_teacher import in_blocks
from l1distill.distillation.settings import DistillationSettings

if TYPE_CHECKING:
    from tensorflow import keras


class EarlierSelf:
    """The weights of a network at one epoch: what follows does not move them."""

    def __init__(self, networks: "keras.Model", questions: Any) -> None:
        """Keep the weights as they are now.

        Args:
            networks: holds all weights that the answers depend on.
            questions: TensorFlow function of features and items that asks the network, in blocks.
        """
        self._networks, self._questions = networks, questions
        self._weights = networks.get_weights()

    def ask(
        self, features: NDArray[np.float32], items: NDArray[Any]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the answers and activations that the network had then; see :func:`in_blocks`."""
        now = self._networks.get_weights()
        self._networks.set_weights(self._weights)
        try:
            return in_blocks(self._questions, features, items)
        finally:
            self._networks.set_weights(now)


def snapshot_epoch(settings: DistillationSettings, epochs: int) -> int | None:
    """Return after how many epochs a network becomes its own teacher; None where it does not.

    Raises:
        ConfigError: no epoch is before it, or none behind.
    """
    if settings.scheme != "self" or settings.self_teacher != "earlier":
        return None
    epoch = round(settings.snapshot * epochs)
    if not 0 < epoch < epochs:
        raise ConfigError(
            f"distillation.snapshot={settings.snapshot:g}: of {epochs} epochs "
            f"{'none is' if epoch < 1 else 'all are'} before the snapshot; set another share, or a "
            "larger student.training.epochs"
        )
    return epoch
