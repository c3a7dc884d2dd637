"""Offline distillation: a student is fitted to what a trained teacher says of the same items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.permutation import HeldOut
from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.augmentation import truth_weights
from l1distill.distillation.held_out import loss_of_items
from l1distill.distillation.open_teacher import SupervisedTeacher, TrueAnswers
from l1distill.distillation.pupil import Pupil, TrainedStudent, fit_pupil, together
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.targets import TargetTransform
from l1distill.distillation.transfer import RESPONSE, Transfer, count_high, total, weighted
from l1distill.models.mlp import StudentSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Arrays, Fit, Loss, OnEpoch, Step, check_arrays, ignore_epoch

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a student learns from.

    Attributes:
        features: (n, features) its inputs, as an input encoding makes them.
        targets: (n, outputs) what it should answer.
        lessons: further knowledge of the teacher about the same items, (n, numbers) of each kind:
            ``reconstruction``, ``feature``, ``relation``; centered and scaled by the caller.
        arrays: what the task's truth is computed from, (n, ...) each; needed for ``beta``.
        pseudo: how many of the last items have no truth (:mod:`.augmentation`).
        weights: (n,) what the loss of each item is multiplied by; None: all count alike.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    lessons: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    arrays: Sequence[NDArray[Any]] = ()
    pseudo: int = 0
    weights: NDArray[np.floating[Any]] | None = None


def train_student(
    train: Examples,
    validation: Examples,
    student: NetworkSettings | None = None,
    distillation: DistillationSettings | None = None,
    pruning: CompressionSettings | None = None,
    *,
    input_exponents: Sequence[int] = (),
    shape: Sequence[int] = (),
    truth: SupervisedTeacher | None = None,
    target: TargetTransform | None = None,
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> TrainedStudent:
    """Train a quantized student on its teacher's answers, pruning it on the way.

    Args:
        train: features and targets of the items to fit.
        validation: the same of the items that decide when to stop.
        student: its family, layers, bits and training; an MLP of the defaults where it is None.
        distillation: knowledge and loss; the scheme is ``offline``.
        pruning: how sparse, and when.
        input_exponents: of each feature the power of two that its input holds
            (:meth:`.InputEncoding.exponents`); empty: ``student.input_integer`` for all.
        shape: of an item's features before they were flattened; empty: (features,).
        truth: compares the student with the truth, where ``distillation.beta`` asks for it.
        target: what the targets were made with, so that the truth judges answers in the teacher's
            own scale; None where they are the answers themselves.
        seed: of weights and shuffling.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state, so that a killed training goes on.

    Returns:
        The student with the weights of its best epoch among those that were quantized and fully
        pruned. It is quantized from the first step on (QKeras, Coelho et al., arXiv:2006.10159), or
        after ``student.float_epochs``.

    Raises:
        ConfigError: the scheme trains a teacher, or there is no truth for ``beta``.
        FloatingPointError: a loss was not finite.
        ValueError: features, targets or lessons do not fit together.
    """
    student = student or StudentSettings()
    distillation = distillation or DistillationSettings()
    pruning = pruning or PruningSettings()
    if distillation.scheme != "offline":
        raise ConfigError(
            f"distillation.scheme={distillation.scheme}: trains a teacher too; call train_jointly"
        )
    check_truth(distillation, truth)
    arrays, held_out = (_arrays(split, distillation) for split in (train, validation))
    check_arrays(arrays, held_out)
    make_deterministic(seed)
    pupil = Pupil(
        student,
        pruning,
        items=len(train.features),
        shape=shape or train.features.shape[1:],
        outputs=train.targets.shape[1],
        input_exponents=input_exponents,
        seed=seed,
        held_out=HeldOut(features=held_out[0], judge=lambda: loss_of_items(loss, held_out)),
    )
    widths = {kind: values.shape[1] for kind, values in train.lessons.items()}
    transfer = Transfer(distillation, pupil.hidden_width, widths)
    loss = _loss(pupil, transfer, distillation, [*train.lessons], truth, target)
    if train.weights is not None:
        loss = _times_last(loss)

    def fit_now() -> Fit:
        parts = [pupil.model, *transfer.regressors.values()]
        return Fit(
            model=together("student", parts) if transfer.regressors else pupil.model,
            loss=loss,
            settings=student.training,
            seed=seed,
            callbacks=pupil.callbacks,
            best_from_epoch=pupil.best_from_epoch,
            after_step=pupil.after_step,
            fine_tune_from=pupil.fine_tune_from,
        )

    history = fit_pupil(pupil, fit_now, lambda: (arrays, held_out), on_epoch, checkpoint)
    return pupil.trained(history)


def check_truth(distillation: DistillationSettings, truth: Any) -> None:
    """Refuse a weight of the truth where a task has none.

    Raises:
        ConfigError: ``beta`` is not 0, and nothing compares a student with the truth.
    """
    if distillation.beta and not isinstance(truth, SupervisedTeacher):
        raise ConfigError(
            f"distillation.beta={distillation.beta:g}: this task has no truth to compare a student "
            "with; set distillation.beta=0"
        )


def _loss(
    pupil: Pupil,
    transfer: Transfer,
    settings: DistillationSettings,
    kinds: Sequence[str],
    truth: SupervisedTeacher | None,
    target: TargetTransform | None,
) -> Loss:
    def loss(batch: "Sequence[tf.Tensor]", step: Step) -> "tf.Tensor":
        features, targets, *others = batch
        hidden = None
        if transfer.needs_hidden:
            answer, hidden = pupil.answer_and_hidden(features, step.training)
        else:
            answer = pupil.answer(features, step.training)
        lesson = {RESPONSE: targets, **dict(zip(kinds, others, strict=False))}
        terms = []
        if settings.transfers:
            terms.append(weighted(settings.gamma, transfer(answer, hidden, lesson)))
        if settings.beta and truth is not None:
            *arrays, weights = others[len(kinds) :]
            said = answer if target is None else target.undo(answer)
            distance = truth.student_loss(said, arrays)
            if isinstance(truth, TrueAnswers):
                distance = count_high(distance, truth.true_answers(arrays), settings.response)
            terms.append(weighted(settings.beta, weights * distance))
        return total(terms)

    return loss


def _times_last(loss: Loss) -> Loss:
    """Return the loss of a batch without its last array, which is what it is multiplied by."""
    return lambda batch, step: batch[-1] * loss(batch[:-1], step)


def _arrays(examples: Examples, settings: DistillationSettings) -> Arrays:
    """Return features and targets, (n, features) and (n, outputs), and what else is needed."""
    features, targets = examples.features, examples.targets
    if features.ndim != 2 or targets.ndim != 2:
        raise ValueError(
            "features and targets must be (n, features) and (n, outputs), not "
            f"{features.shape} and {targets.shape}"
        )
    if len(features) != len(targets):
        raise ValueError(f"{len(features)} features, but {len(targets)} targets of the same items")
    if missing := [kind for kind in settings.of_network if kind not in examples.lessons]:
        raise ValueError(f"examples.lessons: no {missing[0]}, which has a weight")
    arrays = [features, targets, *examples.lessons.values()]
    if settings.beta:
        arrays += [*examples.arrays, truth_weights(len(features), examples.pseudo)]
    return arrays if examples.weights is None else [*arrays, examples.weights]


def distance_to_teacher(
    answers: Mapping[str, NDArray[Any]],
    targets: Mapping[str, NDArray[Any]],
    target: TargetTransform | None = None,
) -> dict[str, float]:
    """Return the mean squared distance from the targets.

    Args:
        answers: of the student, (n, outputs) for each sample.
        targets: what it should answer, likewise.
        target: how these were made.

    Returns:
        ``mse_to_teacher/<sample>``. A decision has no score on its teacher's scale: of one it is
        ``brier/<sample>``, between its probability and the decision (Brier, Monthly Weather Review
        78 (1950) 1), and ``brier_error/<sample>``.
    """
    if target is None or not target.is_decision:
        return {
            f"mse_to_teacher/{name}": float(np.mean((answers[name] - targets[name]) ** 2))
            for name in answers
        }
    metrics = {}
    for name, logits in answers.items():
        squared = (target.comparable(logits) - targets[name]) ** 2
        metrics[f"brier/{name}"] = float(squared.mean())
        metrics[f"brier_error/{name}"] = float(squared.std() / np.sqrt(len(squared)))
    return metrics
