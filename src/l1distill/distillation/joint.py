"""Online distillation: teacher and student are trained at the same time, in one training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.distillation.augmentation import truth_weights
from l1distill.distillation.centering import Centering
from l1distill.distillation.open_teacher import (
    OUTPUTS,
    OpenTeacher,
    in_blocks,
    inner_layers,
    side_by_side,
    wanted_layers,
)
from l1distill.distillation.pupil import Pupil, TrainedStudent, fit_pupil, together
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.sources import DeeperLayers, SeparateTeacher, Source
from l1distill.distillation.student import check_truth
from l1distill.distillation.targets import TargetTransform, fit_response
from l1distill.distillation.transfer import RESPONSE, Transfer, standardized_kinds, total, weighted
from l1distill.models.mlp import StudentSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import (
    Fit,
    OnEpoch,
    Step,
    check_arrays,
    ignore_epoch,
    outside_of_training,
)

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


@dataclass(frozen=True, kw_only=True)
class JointExamples:
    """What student and teacher learn from.

    Attributes:
        features: (n, features) inputs of the student.
        arrays: what the teacher's loss takes of the same items, (n, ...) each; the items first.
        pseudo: how many of the last items the student alone learns (:mod:`.augmentation`): the
            teacher's own loss leaves them out.
    """

    features: NDArray[np.float32]
    arrays: Sequence[NDArray[Any]]
    pseudo: int = 0

    def all_arrays(self) -> list[NDArray[Any]]:
        """Return features and arrays, and the weights of the losses against the truth."""
        weights = truth_weights(len(self.features), self.pseudo)
        return [self.features, *self.arrays, weights]


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
    epoch and after each.

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
        ConfigError: a layer is not there, or there is no truth for ``beta``.
        FloatingPointError: a loss was not finite.
        ValueError: the arrays do not fit together, or the teacher's answers cannot be learned.
    """
    student = student or StudentSettings()
    distillation = distillation or DistillationSettings(scheme="co_training")
    check_truth(distillation, teacher)
    arrays, held_out = train.all_arrays(), validation.all_arrays()
    check_arrays(arrays, held_out)
    make_deterministic(seed)
    pruning = pruning or PruningSettings()
    run = _Joint(
        teacher, train, student, distillation, pruning, of_task, input_exponents, shape, seed
    )

    def fit_now() -> Fit:
        return Fit(
            model=run.networks,
            loss=run.loss,
            settings=student.training,
            seed=seed,
            callbacks=run.pupil.callbacks,
            best_from_epoch=run.pupil.best_from_epoch,
            after_step=run.pupil.after_step,
            fine_tune_from=run.pupil.fine_tune_from,
            at_epoch=run.center,
        )

    history = fit_pupil(run.pupil, fit_now, arrays, held_out, on_epoch, checkpoint)
    return JointlyTrained(
        student=run.pupil.trained(history),
        teacher=getattr(run.source, "model", None),
        target=run.centering.target,
        answers=run.answers,
    )


class _Joint:
    """The networks of a joint training, and its loss."""

    def __init__(
        self,
        teacher: OpenTeacher,
        train: JointExamples,
        student: NetworkSettings,
        settings: DistillationSettings,
        pruning: CompressionSettings,
        of_task: Callable[[NDArray[Any]], TargetTransform],
        input_exponents: Sequence[int] = (),
        shape: Sequence[int] = (),
        seed: int = 0,
    ) -> None:
        self._teacher, self._train, self._settings = teacher, train, settings
        self._of_task = of_task
        self._asked: dict[int, Any] = {}
        separate = SeparateTeacher(teacher) if settings.scheme == "co_training" else None
        answers = self._width_of_answers(separate, train)
        self.pupil = Pupil(
            student,
            pruning,
            items=len(train.features),
            shape=shape or train.features.shape[1:],
            outputs=answers,
            input_exponents=input_exponents,
            seed=seed,
        )
        self.source: Source = separate or DeeperLayers(
            teacher, self.pupil.hidden, self.pupil.hidden_width
        )
        self._layers = wanted_layers(settings, self.source.latent, self.source.known)
        asked = self._ask(train.features[:1], train.arrays[0][:1])
        widths = {kind: asked[kind].shape[1] for kind in self._layers}
        self.transfer = Transfer(settings, self.pupil.hidden_width, widths)
        kinds = standardized_kinds(settings)
        self.centering = Centering({kind: widths[kind] for kind in kinds})

    @property
    def networks(self) -> "keras.Model":
        """All that is trained, with the student's network as it is now."""
        return together(
            "student" if isinstance(self.source, DeeperLayers) else "student_and_teacher",
            [
                self.pupil.model,
                *self.transfer.regressors.values(),
                *self.source.parts,
                self.centering.layer,
            ],
        )

    def _width_of_answers(self, separate: SeparateTeacher | None, train: JointExamples) -> int:
        """Return how many numbers a student answers; of a decision, and of most scores, one."""
        import tensorflow as tf

        if self._settings.response.answer == "decision":
            return 1
        items = [tf.constant(train.arrays[0][:1], tf.float32)]
        if separate is not None:
            outputs = separate.compute([], None, items, outside_of_training())[OUTPUTS]
        else:
            outputs = tf.zeros((1, self._teacher.outputs()))
        return int(tf.size(self._teacher.answer_of(outputs, items)))

    def loss(self, batch: "Sequence[tf.Tensor]", step: Step) -> "tf.Tensor":
        """Return the loss of each item, equation 1 of Bal et al."""
        import tensorflow as tf

        settings = self._settings
        features, *arrays, weights = batch
        answer, hidden = self.pupil.answer_and_hidden(features, step.training)
        outputs = self.source.compute(inner_layers(self._layers), hidden, arrays, step)
        own = weights * self._teacher.loss_of(outputs[OUTPUTS], arrays, step)
        terms = [weighted(settings.alpha, own)]
        if settings.beta:
            truth = self._teacher.student_loss(answer, arrays)  # type: ignore[attr-defined]
            terms.append(weighted(settings.beta, weights * truth))
        if settings.gamma:
            lesson = self._lesson(outputs, arrays)
            if settings.transfer_to == "student":
                lesson = {kind: tf.stop_gradient(values) for kind, values in lesson.items()}
            terms.append(weighted(settings.gamma, self.transfer(answer, hidden, lesson)))
        return total(terms)

    def _lesson(
        self, outputs: "Mapping[str, tf.Tensor]", arrays: "Sequence[tf.Tensor]"
    ) -> "dict[str, tf.Tensor]":
        answers = self._teacher.answer_of(outputs[OUTPUTS], arrays)
        lesson = {RESPONSE: self.centering.response(answers)}
        for kind, wanted in self._layers.items():
            lesson[kind] = self.centering.centered(kind, side_by_side(outputs, wanted))
        return lesson

    def _questions(self) -> Any:
        """Return what asks the teacher, compiled for the student's network as it is now."""
        if id(self.pupil.model) not in self._asked:
            self._asked[id(self.pupil.model)] = self._compiled_questions()
        return self._asked[id(self.pupil.model)]

    def _compiled_questions(self) -> Any:
        import tensorflow as tf

        @tf.function  # type: ignore[untyped-decorator]
        def asked(features: "tf.Tensor", items: "tf.Tensor") -> Any:
            _, hidden = self.pupil.answer_and_hidden(features, False)
            names, step = inner_layers(self._layers), outside_of_training()
            outputs = self.source.compute(names, hidden, [items], step)
            activations = {k: side_by_side(outputs, wanted) for k, wanted in self._layers.items()}
            return {RESPONSE: self._teacher.answer_of(outputs[OUTPUTS], [items]), **activations}

        return asked

    def _ask(
        self, features: NDArray[np.float32], items: NDArray[Any]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the teacher's answers to items and its activations, as it is now."""
        return in_blocks(self._questions(), features, items)

    def answers(self, features: NDArray[np.float32], items: NDArray[Any]) -> NDArray[np.float32]:
        """Return the teacher's answers, (n,) or (n, outputs)."""
        return self._ask(features, items)[RESPONSE]

    def center(self) -> None:
        """Measure anew, on the items that are no pseudo-items, what centers and scales."""
        real = slice(0, len(self._train.features) - self._train.pseudo)
        asked = self._ask(self._train.features[real], self._train.arrays[0][real])
        target = fit_response(self._settings.response, asked[RESPONSE], self._of_task)
        self.centering.set(target, asked)
