"""Distillation targets: what a student is fitted to, made from its teacher's answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.core.settings import Constants
from l1distill.core.workspace import write_json
from l1distill.distillation.settings import ResponseSettings

Transform = Literal["log_standardized", "standardized", "identity", "above"]


class TargetTransform(Constants):
    """From a teacher's answers to the targets of a student, fixed by the training split.

    ``log_standardized`` is the logarithm, centered and scaled: scores of a reconstruction error
    span orders of magnitude; the logarithm keeps their order and gives a few-bit output something
    even to work with. ``standardized`` is the same without the logarithm. ``identity`` hands the
    answers on as they are. ``above`` is 1 for answers above a threshold, else 0.
    """

    transform: Transform
    mean: float = 0.0
    """Of the logarithm over the training split; of ``standardized``, of the answers."""
    std: float = 1.0
    """Likewise."""
    threshold: float = 0.0
    """Of ``above``: the answer from which on, exclusively, the teacher says yes."""

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
        return cls._centered("log_standardized", np.log(answers))

    @classmethod
    def fit_linear(cls, answers: NDArray[np.floating[Any]]) -> "TargetTransform":
        """Measure mean and deviation of the answers themselves.

        Raises:
            ValueError: all are the same.
        """
        return cls._centered("standardized", answers)

    @classmethod
    def fit_decision(cls, answers: NDArray[np.floating[Any]], fpr: float) -> "TargetTransform":
        """Choose the threshold that a share of the training split is above.

        Args:
            answers: (n,) or (n, 1) the teacher's scores of the training split.
            fpr: the share.

        Raises:
            ValueError: there are several answers an item, or none of them is above the threshold.
        """
        if answers.size != len(answers):
            raise ValueError("the teacher gives several answers to an item: it decides nothing")
        threshold = float(np.quantile(answers, 1.0 - fpr))
        if not (answers > threshold).any():
            raise ValueError(
                f"the teacher accepts no item of the training split at response.fpr={fpr:g}"
            )
        return cls(transform="above", threshold=threshold)

    @classmethod
    def _centered(cls, transform: Transform, values: NDArray[Any]) -> "TargetTransform":
        if values.std() == 0.0:
            raise ValueError("the teacher gives every event the same score: nothing to distill")
        return cls(transform=transform, mean=float(values.mean()), std=float(values.std()))

    def write(self, path: Path) -> None:
        """Write the constants that the transformation has."""
        unused = set() if self.transform == "above" else {"threshold"}
        write_json(path, self.model_dump(exclude=unused))

    @property
    def is_decision(self) -> bool:
        """Whether a student learns yes or no: its output is a logit, on no scale of its teacher."""
        return self.transform == "above"

    def comparable(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return a student's outputs (n, outputs) as its targets are: of logits, probabilities."""
        if not self.is_decision:
            return outputs
        return 1.0 / (1.0 + np.exp(-outputs.astype(np.float64)))

    def undo(self, outputs: Any) -> Any:
        """Return what a student's outputs (n, outputs) say in the teacher's own scale.

        Args:
            outputs: of TensorFlow, in a loss; a decision's are logits and stay as they are.
        """
        return undone(self.transform, outputs, self.mean, self.std)

    def answers_of(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return a student's outputs (n, outputs) in its teacher's scale; of logits, probabilities.

        What :meth:`undo` gives in a loss, of NumPy.
        """
        if self.is_decision:
            return self.comparable(outputs)
        return np.asarray(self.undo(outputs))

    def __call__(self, answers: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the targets (n, outputs) of a teacher's answers, (n,) or (n, outputs)."""
        targets: NDArray[Any] = answers
        if self.transform == "log_standardized":
            targets = (np.log(answers) - self.mean) / self.std
        elif self.transform == "standardized":
            targets = (answers - self.mean) / self.std
        elif self.transform == "above":
            targets = answers > self.threshold
        return targets.astype(np.float32).reshape(len(answers), -1)


def undone(transform: Transform, outputs: Any, mean: Any, std: Any) -> Any:
    """Return a student's outputs in its teacher's scale; see :meth:`TargetTransform.undo`."""
    if transform == "standardized":
        return outputs * std + mean
    if transform == "log_standardized":
        import tensorflow as tf

        return tf.exp(outputs * std + mean)
    return outputs


def capped(settings: ResponseSettings, targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return targets (n, outputs) as they are learned: none above ``settings.cap``."""
    return targets if settings.cap is None else np.minimum(targets, np.float32(settings.cap))


def fit_response(
    settings: ResponseSettings,
    answers: NDArray[np.floating[Any]],
    of_task: Callable[[NDArray[np.floating[Any]]], TargetTransform],
) -> TargetTransform:
    """Fit what the student's output is to be, as the settings ask for it.

    Args:
        settings: a score on one of two scales, or a decision.
        answers: (n,) or (n, outputs) the teacher's answers to the training split.
        of_task: fits what the task itself makes of answers.

    Raises:
        ConfigError: the answers cannot be learned in that way.
    """
    try:
        if settings.answer == "decision":
            return TargetTransform.fit_decision(answers, settings.fpr)
        if settings.scale == "log":
            return TargetTransform.fit_log(answers)
        if settings.scale == "linear":
            return TargetTransform.fit_linear(answers)
        return of_task(answers)
    except ValueError as error:
        raise ConfigError(f"distillation.response: {error}") from error
