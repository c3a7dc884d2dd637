"""The autoregressive teacher: a density of background events, whose -log is the score."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.evaluation.trivial import rank_score
from l1distill.tasks.anomaly.autoregressive import (
    BACKGROUND,
    build,
    dropped,
    features,
    flipped,
    hidden_layers,
    of_members,
    prefix,
    relative,
)
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.settings import AutoregressiveSettings
from l1distill.tasks.anomaly.trivial_scores import ht
from l1distill.training.fit import Loss, Step, outside_of_training

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.distillation.open_teacher import Compute

_RANKED = 2
"""Scores that the network keeps of the background: -log p, then HT."""


class AutoregressiveTeacher:
    """A masked network that says of each object how likely it is, given those before it.

    Args:
        settings: its size, and what its density is of.
    """

    def __init__(self, settings: AutoregressiveSettings) -> None:
        """Make a teacher that has no network yet."""
        self._settings = settings

    def build(self) -> "keras.Model":
        """Build the untrained network."""
        settings = self._settings
        ranks = _RANKED if self._is_ranked else 0
        members = settings.members
        return build(settings.slot_width, settings.layers, settings.components, ranks, members)

    @property
    def members(self) -> int:
        """How many networks are trained apart from one another."""
        return self._settings.members

    def member(self) -> "AutoregressiveTeacher":
        """Return the teacher of one of them."""
        return AutoregressiveTeacher(
            self._settings.model_copy(update={"members": 1, "score": "nll"})
        )

    def join(self, models: "Sequence[keras.Model]") -> "keras.Model":
        """Return the network that holds the trained networks of the members."""
        joined = self.build()
        for number, model in enumerate(models):
            for layer in model.layers:
                if weights := layer.get_weights():
                    name = f"{prefix(number, len(models))}{layer.name}"
                    joined.get_layer(name).set_weights(weights)
        return joined

    def prunable_layers(self) -> Sequence[str]:
        """Name no layer: masked layers are not pruned."""
        return []

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        """Return the score, of events that are mirrored by chance in a training."""

        def loss(batch: "Sequence[tf.Tensor]", step: Step) -> "tf.Tensor":
            events = relative(batch[0])
            if step.training and self._settings.flips:
                events = flipped(events, step)
            return self._score(model(self._inputs(events, step)), events)

        return loss

    @property
    def _is_ranked(self) -> bool:
        return self._settings.score == "rank_ht"

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the score ``nll``, and ``rank_ht`` where that is handed on, (n,) each."""
        nll = self._likelihoods(model, items)
        if not self._is_ranked:
            return {"nll": nll}
        of_nll, of_ht = model.get_layer(BACKGROUND).sample()
        ranks = np.maximum(rank_score(nll, of_nll), rank_score(ht(items), of_ht))
        return {"nll": nll, "rank_ht": ranks.astype(np.float32)}

    def calibrate(self, model: "keras.Model", items: NDArray[Any]) -> None:
        """Keep in the network what likelihood and HT of the background are."""
        if self._is_ranked:
            model.get_layer(BACKGROUND).keep(self._likelihoods(model, items), ht(items))

    def check_joint_training(self) -> None:
        """Refuse where the score is a rank: the background's are known once it is trained."""
        if self._is_ranked:
            raise ConfigError(
                "distillation.scheme=co_training: the teacher's score is a rank among the "
                "background, which is known at the end of its training; choose "
                "distillation.scheme=offline, or a teacher with teacher.score=nll"
            )

    def _likelihoods(self, model: "keras.Model", items: NDArray[Any]) -> NDArray[np.float32]:
        """Return -log p of events, (n,)."""
        from l1distill.distillation.open_teacher import BLOCK, in_blocks

        loss, step = self.loss(model, BLOCK), outside_of_training()
        return in_blocks(lambda block: {"nll": loss([block], step)}, items)["nll"]

    def latent_layers(self) -> Sequence[str]:
        """Name the last hidden layer of each member."""
        last = hidden_layers(self._settings.layers)[-1]
        return [f"{prefix(member, self.members)}{last}" for member in range(self.members)]

    def outputs(self) -> int:
        """Refuse to judge another network: one that sees an event whole has nothing to predict.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "distillation.scheme=self: the layers behind a student see the event whole, and an "
            "autoregressive teacher's loss is of what each object is given those before it alone; "
            "choose distillation.scheme=offline or co_training, or another teacher"
        )

    def compute(self, model: "keras.Model", layers: Sequence[str]) -> "Compute":
        """Return a TensorFlow function of events (n, 19, 3) to outputs and activations.

        In a training there is dropout; events are not mirrored, since others are asked about the
        same outputs.
        """
        from tensorflow import keras

        from l1distill.distillation.open_teacher import OUTPUTS

        ends = {OUTPUTS: model.output, **{name: model.get_layer(name).output for name in layers}}
        inside = keras.Model(model.inputs, ends)

        def asked(arrays: "Sequence[tf.Tensor]", step: Step) -> "Mapping[str, tf.Tensor]":
            results: Mapping[str, tf.Tensor] = inside(self._inputs(relative(arrays[0]), step))
            return results

        return asked

    def loss_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]", step: Step) -> Any:
        """Return -log p by what the network expects, (n,)."""
        return self._score(outputs, relative(arrays[0]))

    def answer_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]") -> "tf.Tensor":
        """Return the score of what the network expects, (n,).

        Raises:
            ConfigError: it is a rank, which is not known before the training's end.
        """
        self.check_joint_training()
        return self._score(outputs, relative(arrays[0]))

    def _inputs(self, events: "tf.Tensor", step: Step) -> "list[tf.Tensor]":
        settings = self._settings
        size = N_OBJECTS * settings.slot_width
        layers = settings.layers * settings.members
        keep = [dropped(events, size, layer, settings.dropout, step) for layer in range(layers)]
        return [features(events), *keep]

    def _score(self, outputs: "tf.Tensor", events: "tf.Tensor") -> "tf.Tensor":
        settings = self._settings
        return of_members(outputs, events, settings.density == "pt", settings.members)
