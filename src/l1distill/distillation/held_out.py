"""The loss of validation items whose features were changed."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.permutation import Losses
from l1distill.training.fit import VALIDATION_BATCH, Arrays, Loss, outside_of_training

if TYPE_CHECKING:
    import tensorflow as tf


def loss_of_items(loss: Loss, held_out: Arrays) -> Losses:
    """Return what gives the loss of items, with features of the caller's in place of their own.

    Args:
        loss: of a training, whose first array are the features.
        held_out: arrays of the validation split.
    """
    import tensorflow as tf

    @tf.function  # type: ignore[untyped-decorator]
    def compiled(batch: "list[tf.Tensor]") -> "tf.Tensor":
        return loss(batch, outside_of_training())

    def losses(
        features: NDArray[np.float32], items: NDArray[np.int64]
    ) -> NDArray[np.floating[Any]]:
        parts = []
        for start in range(0, len(items), VALIDATION_BATCH):
            rows = items[start : start + VALIDATION_BATCH]
            others = [np.asarray(array[rows], np.float32) for array in held_out[1:]]
            batch = [features[start : start + VALIDATION_BATCH], *others]
            parts.append(compiled([tf.constant(array, tf.float32) for array in batch]).numpy())
        return np.concatenate(parts)

    return losses
