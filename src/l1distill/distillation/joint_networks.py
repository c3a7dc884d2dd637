"""The networks of online distillation, student and teacher, and the loss that trains both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.permutation import HeldOut
from l1distill.compression.settings import CompressionSettings
from l1distill.distillation.augmentation import truth_weights
from l1distill.distillation.centering import Centering
from l1distill.distillation.earlier_self import EarlierSelf
from l1distill.distillation.held_out import loss_of_items
from l1distill.distillation.open_teacher import (
    OUTPUTS,
    OpenTeacher,
    in_blocks,
    inner_layers,
    side_by_side,
    wanted_layers,
)
from l1distill.distillation.pupil import Pupil, together
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.sources import DeeperLayers, SeparateTeacher, Source
from l1distill.distillation.targets import TargetTransform, fit_response
from l1distill.distillation.transfer import RESPONSE, Transfer, standardized_kinds, total, weighted
from l1distill.models.student_network import NetworkSettings
from l1distill.training.fit import Step, outside_of_training

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


class JointNetworks:
    """The networks of a joint training, and its loss.

    Attributes:
        pupil: the student while it is trained.
        source: what teaches it, and is trained too.
        transfer: from the one to the other.
        centering: of what the teacher says.
        earlier: the whole as it was at an epoch, where that teaches from then on.
    """

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
        validation: JointExamples | None = None,
    ) -> None:
        """Build the networks; arguments as of :func:`.joint.train_jointly`."""
        self._teacher, self._train, self._settings = teacher, train, settings
        self._of_task = of_task
        self._asked: dict[int, Any] = {}
        separate = SeparateTeacher(teacher) if settings.scheme == "co_training" else None
        answers = self._width_of_answers(separate, train)
        held_out = None
        if validation is not None:
            held_out = HeldOut(
                features=validation.features,
                judge=lambda: loss_of_items(self.loss, self.arrays(validation)),
            )
        self.pupil = Pupil(
            student,
            pruning,
            items=len(train.features),
            shape=shape or train.features.shape[1:],
            outputs=answers,
            input_exponents=input_exponents,
            seed=seed,
            held_out=held_out,
        )
        self.source: Source = separate or DeeperLayers(
            teacher, self.pupil.hidden, self.pupil.hidden_width
        )
        self.earlier: EarlierSelf | None = None
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
        features, *others = batch
        number = len(self._train.arrays)
        arrays, weights, told = others[:number], others[number], others[number + 1 :]
        answer, hidden = self.pupil.answer_and_hidden(features, step.training)
        outputs = self.source.compute(inner_layers(self._layers), hidden, arrays, step)
        own = weights * self._teacher.loss_of(outputs[OUTPUTS], arrays, step)
        terms = [weighted(settings.alpha, own)]
        if settings.beta:
            said = self.centering.undo(answer)
            truth = self._teacher.student_loss(said, arrays)  # type: ignore[attr-defined]
            terms.append(weighted(settings.beta, weights * truth))
        if settings.transfers:
            # what the earlier self says stands in the batch
            lesson = dict(zip(self._kinds, told, strict=True)) if told else None
            lesson = lesson or self._lesson(outputs, arrays)
            if settings.transfer_to == "student":
                lesson = {kind: tf.stop_gradient(values) for kind, values in lesson.items()}
            terms.append(weighted(settings.gamma, self.transfer(answer, hidden, lesson)))
        return total(terms)

    @property
    def _kinds(self) -> list[str]:
        """The kinds of knowledge of a lesson, in its order."""
        return [RESPONSE, *self._layers]

    def keep_earlier_self(self) -> None:
        """Keep the whole as it is now; from then on that teaches, and stays as it is."""
        self.earlier = EarlierSelf(self.networks, self._questions())

    def arrays(self, examples: JointExamples) -> list[NDArray[Any]]:
        """Return what the loss takes of items, with what the earlier self says if there is one."""
        import tensorflow as tf

        if self.earlier is None:
            return examples.all_arrays()
        asked = self.earlier.ask(examples.features, examples.arrays[0])
        lesson = {kind: self.centering.centered(kind, asked[kind]) for kind in self._layers}
        lesson[RESPONSE] = self._response(tf.constant(asked[RESPONSE]))
        return [*examples.all_arrays(), *(np.asarray(lesson[kind]) for kind in self._kinds)]

    def _lesson(
        self, outputs: "Mapping[str, tf.Tensor]", arrays: "Sequence[tf.Tensor]"
    ) -> "dict[str, tf.Tensor]":
        answers = self._teacher.answer_of(outputs[OUTPUTS], arrays)
        lesson = {RESPONSE: self._response(answers)}
        for kind, wanted in self._layers.items():
            lesson[kind] = self.centering.centered(kind, side_by_side(outputs, wanted))
        return lesson

    def _response(self, answers: "tf.Tensor") -> "tf.Tensor":
        """Return the targets (n, outputs) of answers as they are learned."""
        import tensorflow as tf

        targets, cap = self.centering.response(answers), self._settings.response.cap
        return targets if cap is None else tf.minimum(targets, cap)

    def _questions(self) -> Any:
        """Return what asks the teacher, compiled for the student's network as it is now."""
        if id(self.pupil.model) not in self._asked:
            self._asked[id(self.pupil.model)] = self._compiled_questions()
        return self._asked[id(self.pupil.model)]

    def _compiled_questions(self) -> Any:
        import tensorflow as tf

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
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
        ask = self._ask if self.earlier is None else self.earlier.ask
        return ask(features, items)[RESPONSE]

    def center(self) -> None:
        """Measure anew, on the items that are no pseudo-items, what centers and scales.

        What an earlier self says is centered as it was then.
        """
        if self.earlier is not None:
            return
        real = slice(0, len(self._train.features) - self._train.pseudo)
        asked = self._ask(self._train.features[real], self._train.arrays[0][real])
        target = fit_response(self._settings.response, asked[RESPONSE], self._of_task)
        self.centering.set(target, asked)
