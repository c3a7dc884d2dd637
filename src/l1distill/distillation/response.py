"""Response distillation: the student learns the teacher's score of each event."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.core.settings import Constants, Settings

if TYPE_CHECKING:
    from typing import Self


class DistillationSettings(Settings):
    """What knowledge is handed over, by which scheme, with which loss."""

    knowledge: Literal["response"]
    scheme: Literal["offline"]
    loss: Literal["mse", "huber", "mae"]


class SoftTarget(Constants):
    """The logarithm of the teacher's score, centerd and scaled on the training split.

    Scores of a reconstruction error span orders of magnitude; the logarithm keeps their order and
    gives a few-bit output something even to work with.
    """

    mean: float
    std: float

    @classmethod
    def fit(cls, scores: NDArray[np.floating[Any]]) -> "Self":
        """Measures mean and deviation of the logarithm.

        Args:
            scores: (n,) the teacher's scores of the training split, all above zero.

        Raises:
            ValueError: a score is not above zero, or all are the same.
        """
        if not (scores > 0.0).all():
            raise ValueError("the teacher's scores must be above zero to distill their logarithm")
        log = np.log(scores)
        if log.std() == 0.0:
            raise ValueError("the teacher gives every event the same score: nothing to distill")
        return cls(mean=float(log.mean()), std=float(log.std()))

    def __call__(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Returns the targets (n,) of the teacher's scores (n,)."""
        targets: NDArray[np.float32] = ((np.log(scores) - self.mean) / self.std).astype(np.float32)
        return targets
