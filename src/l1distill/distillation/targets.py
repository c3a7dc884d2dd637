"""Distillation targets: what a student is fitted to, made from its teacher's answers."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.core.settings import Constants


class TargetTransform(Constants):
    """From a teacher's answers to the targets of a student, fixed by the training split.

    ``log_standardized`` is the logarithm, centered and scaled: scores of a reconstruction error
    span orders of magnitude; the logarithm keeps their order and gives a few-bit output something
    even to work with. ``identity`` hands the answers on as they are.
    """

    transform: Literal["log_standardized", "identity"]
    mean: float = 0.0
    """Of the logarithm over the training split."""
    std: float = 1.0
    """Of the logarithm over the training split."""

    @classmethod
    def fit_log(cls, answers: NDArray[np.floating[Any]]) -> "TargetTransform":
        """Measure mean and deviation of the logarithm.

        Args:
            answers: (n,) the teacher's scores of the training split, all above zero.

        Raises:
            ValueError: a score is not above zero, or all are the same.
        """
        if not (answers > 0.0).all():
            raise ValueError("the teacher's scores must be above zero to distill their logarithm")
        log = np.log(answers)
        if log.std() == 0.0:
            raise ValueError("the teacher gives every event the same score: nothing to distill")
        return cls(transform="log_standardized", mean=float(log.mean()), std=float(log.std()))

    def __call__(self, answers: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the targets (n, outputs) of a teacher's answers, (n,) or (n, outputs)."""
        targets: NDArray[Any] = answers
        if self.transform == "log_standardized":
            targets = (np.log(answers) - self.mean) / self.std
        return targets.astype(np.float32).reshape(len(answers), -1)
