"""Online distillation: teacher and student are trained at the same time, in one training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.distillation.earlier_self import snapshot_epoch
from l1distill.distillation.joint_networks import JointExamples, JointNetworks
from l1distill.distillation.open_teacher import OpenTeacher
from l1distill.distillation.pupil import Phase, TrainedStudent, fit_pupil
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import check_truth
from l1distill.distillation.targets import TargetTransform
from l1distill.models.mlp import StudentSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Arrays, Fit, OnEpoch, check_arrays, ignore_epoch

if TYPE_CHECKING:
    from tensorflow import keras


@dataclass(frozen=True, kw_only=True)
class JointlyTrained:
    """A student, and the teacher that was trained with it.

    Attributes:
        student: without what it was trained with.
        teacher: the network of a co-trained teacher; None in self-distillation.
        target: what the student's output is, made from the teacher's answers.
        answers: from features (n, features) and items (n, ...) to the teacher's answers.
    """

    student: TrainedStudent
    teacher: "keras.Model | None"
    target: TargetTransform
    answers: Callable[[NDArray[np.float32], NDArray[Any]], NDArray[np.float32]]


def train_jointly(
    teacher: OpenTeacher,
    train: JointExamples,
    validation: JointExamples,
    student: NetworkSettings | None = None,
    distillation: DistillationSettings | None = None,
    pruning: CompressionSettings | None = None,
    *,
    of_task: Callable[[NDArray[Any]], TargetTransform],
    input_exponents: Sequence[int] = (),
    shape: Sequence[int] = (),
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> JointlyTrained:
    """Train a quantized student and its teacher together.

    The loss is ``alpha S(truth, teacher) + beta S(truth, student) + gamma T(teacher, student)``
    (Bal et al., equation 1); where a task has no truth, ``S`` of the teacher is its own loss. What
    centers and scales the teacher's numbers is measured on the training items before the first
    epoch and after each. With ``self_teacher=earlier`` the network as it is after some epochs is
    kept, and teaches those that follow (Yang et al., arXiv:1812.00123).

    Args:
        teacher: its network and its loss; of a task, or of the user's.
        train: features and arrays of the items to fit.
        validation: the same of the items that decide when to stop.
        student: its family, layers, bits, and the training of both; an MLP where it is None.
        distillation: knowledge, scheme (``co_training`` or ``self``) and loss.
        pruning: of the student: how sparse, and when.
        of_task: fits what the task makes of the teacher's answers.
        input_exponents: see :func:`.student.train_student`.
        shape: likewise.
        seed: of weights, shuffling and noise.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state of both, so that a killed training goes on.

    Raises:
        ConfigError: a layer is not there, there is no truth for ``beta``, or no epoch for an
            earlier self.
        FloatingPointError: a loss was not finite.
        ValueError: the arrays do not fit together, or the teacher's answers cannot be learned.
    """
    student = student or StudentSettings()
    distillation = distillation or DistillationSettings(scheme="co_training")
    check_truth(distillation, teacher)
    check_arrays(train.all_arrays(), validation.all_arrays())
    snapshot = snapshot_epoch(distillation, student.training.epochs)
    make_deterministic(seed)
    pruning = pruning or PruningSettings()
    run = JointNetworks(
        teacher,
        train,
        student,
        distillation,
        pruning,
        of_task,
        input_exponents,
        shape,
        seed,
        validation,
    )

    def fit_now() -> Fit:
        return Fit(
            model=run.networks,
            loss=run.loss,
            settings=student.training,
            seed=seed,
            callbacks=run.pupil.callbacks,
            best_from_epoch=max(run.pupil.best_from_epoch, snapshot or 0),
            after_step=run.pupil.after_step,
            fine_tune_from=run.pupil.fine_tune_from,
            at_epoch=run.center,
        )

    def arrays_now() -> tuple[Arrays, Arrays]:
        return run.arrays(train), run.arrays(validation)

    phases = [] if snapshot is None else [Phase("earlier", snapshot, run.keep_earlier_self)]
    history = fit_pupil(run.pupil, fit_now, arrays_now, on_epoch, checkpoint, phases)
    return JointlyTrained(
        student=run.pupil.trained(history),
        teacher=getattr(run.source, "model", None),
        target=run.centering.target,
        answers=run.answers,
    )
