"""Distillation into a student that learns its own bit widths while they become dearer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings, measure_sparsity
from l1distill.compression.settings import CompressionSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.answers_alone import Demand, check_answers_alone
from l1distill.distillation.distances import response_distance
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.models.hgq_student import HgqSettings, build_hgq, check_installed, fixed_student
from l1distill.models.students import input_limits, quantized_inputs
from l1distill.training.checkpoint import file_of_part
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, Loss, OnEpoch, Step, fit, ignore_epoch

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

OnSnapshot = Callable[[int, float, "keras.Model"], None]
_BITS = "_bw"
"""What the names of variables have that are numbers of bits."""


@dataclass(frozen=True, kw_only=True)
class TrainedHgq(TrainedStudent):
    """A student with bits of its own for each number.

    Attributes:
        bit_operations: bits of weight times bits of input, summed over the multiplications.
    """

    bit_operations: float

    def metrics(self) -> dict[str, float]:
        """Return those of a network, and ``bit_operations``."""
        return {**super().metrics(), "bit_operations": self.bit_operations}


def check_hgq(distillation: DistillationSettings, compression: CompressionSettings) -> None:
    """Refuse what a student with learned bits cannot learn from, and a missing package.

    Raises:
        ConfigError: the line names the key.
    """
    check_installed()
    answer = distillation.response.answer
    check_answers_alone(
        distillation,
        [Demand(key="distillation.response.answer", value=answer, possible="score")],
        "student=hgq learns the teacher's score alone, offline",
        or_else="student=mlp",
    )
    if not isinstance(compression, PruningSettings) or compression.sparsity:
        raise ConfigError(
            f"compression.method={compression.method}: student=hgq takes weights away by their "
            "bits; set compression=none, and student.beta for fewer"
        )


def train_hgq(
    train: Examples,
    validation: Examples,
    settings: HgqSettings | None = None,
    distillation: DistillationSettings | None = None,
    compression: CompressionSettings | None = None,
    *,
    input_exponents: Sequence[int] = (),
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
    on_snapshot: "OnSnapshot | None" = None,
) -> TrainedHgq:
    """Train a student and its bits; then, with these as they are, its weights alone.

    Args:
        train: features and targets of the training split, pseudo-items among them.
        validation: of the items that decide which epoch is kept.
        settings: nodes, and what a bit costs.
        distillation: refused where it asks for more than the teacher's score.
        compression: refused where it prunes.
        input_exponents: see :func:`l1distill.models.students.quantized_inputs`.
        seed: of weights and shuffling.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: file that keeps the state, so that a killed training goes on.
        on_snapshot: is given what the student would be after each epoch in which bits are learned:
            how many epochs there were, the price of a bit operation then, and the model. After a
            kill that of the last epoch may be given again.

    Returns:
        The student; its model computes what firmware does, bit for bit, and does not need HGQ.

    Raises:
        ConfigError: see :func:`check_hgq`.
        FloatingPointError: a loss was not finite.
        ValueError: features and targets do not fit together.
    """
    settings, distillation = settings or HgqSettings(), distillation or DistillationSettings()
    check_hgq(distillation, compression or PruningSettings(sparsity=0.0))
    make_deterministic(seed)
    features, outputs = train.features.shape[1], train.targets.shape[1]
    on_grid = _on_grid(settings, features, input_exponents)
    arrays, held_out = ([on_grid(part.features), part.targets] for part in (train, validation))
    an_epoch = -(-len(arrays[0]) // settings.training.batch_size)
    network = PricedNetwork(
        build_hgq(settings, features, outputs), settings, an_epoch * settings.frozen_from
    )
    limits = np.stack(input_limits(settings, features, input_exponents)).astype(np.float32)
    seen = np.concatenate([arrays[0], held_out[0]])

    def fixed() -> "keras.Model":
        return fixed_student(settings, network.network, seen, limits, input_exponents)

    def after_epoch() -> None:
        if on_snapshot is not None and network.steps and not network.frozen:
            on_snapshot(network.steps // an_epoch, network.price, fixed())
        network.forget_ranges()

    compare = response_distance(distillation.loss, distillation.temperature)
    learning = Fit(
        model=network,
        loss=network.loss(compare),
        settings=settings.training,
        seed=seed,
        best_from_epoch=settings.frozen_from,
        at_epoch=after_epoch,
        after_step=network.after_step,
        one_by_one=True,
    )
    bits = replace(learning, until=settings.frozen_from)
    history = fit(bits, arrays, held_out, on_epoch, file_of_part(checkpoint, "bits"))
    network.freeze()
    rest = replace(learning, earlier=history, fine_tune_from=settings.frozen_from)
    history = fit(rest, arrays, held_out, on_epoch, checkpoint)
    model = fixed()
    return TrainedHgq(
        model=model,
        history=history,
        sparsity=measure_sparsity(model),
        bit_operations=network.bit_operations(),
    )


def _on_grid(settings: HgqSettings, features: int, exponents: Sequence[int]) -> Any:
    from tensorflow.keras import Model

    model = Model(*quantized_inputs(settings, features, exponents))

    def on_grid(values: NDArray[np.float32]) -> NDArray[np.float32]:
        numbers: NDArray[np.float32] = model.predict(values, batch_size=2**16, verbose=0)
        return numbers

    return on_grid


class PricedNetwork:
    """A network of HGQ with the price of its bits, as what :class:`~.fit.Fit` fits.

    Attributes:
        network: of :func:`l1distill.models.hgq_student.build_hgq`.
        name: for messages.
        frozen: whether bits stay as they are.
    """

    def __init__(self, network: "keras.Model", settings: HgqSettings, steps: int) -> None:
        """Begin with the lowest price.

        Args:
            network: the network.
            settings: first and last price.
            steps: in which it rises.
        """
        import tensorflow as tf

        self.network, self.name = network, "student"
        self._layers = [layer for layer in network.layers if hasattr(layer, "paq")]
        self._first, self._last, self._steps = settings.beta_start, settings.beta, steps
        self._step = tf.Variable(0, trainable=False, dtype=tf.int32, name="step")
        self.frozen = False
        for layer in self._layers:
            layer.beta.assign(settings.beta_start)
        self.forget_ranges()

    @property
    def trainable_variables(self) -> "list[tf.Variable]":
        """What is trained: in the end all but bits."""
        found = self.network.trainable_variables
        return [one for one in found if not (self.frozen and _BITS in one.name)]

    @property
    def steps(self) -> int:
        """How many steps there were."""
        return int(self._step.numpy())

    @property
    def price(self) -> float:
        """What a bit operation costs now."""
        return float(self._layers[0].beta.numpy())

    def get_weights(self) -> list[NDArray[Any]]:
        """Return the whole state: that of the network, and the number of the step."""
        return [*self.network.get_weights(), self._step.numpy()]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Take up a state."""
        self.network.set_weights(weights[:-1])
        self._step.assign(weights[-1])

    def loss(self, compare: Any) -> Loss:
        """Return the loss of each item: the distance from its target, and the price of the bits."""

        def loss(batch: "Sequence[tf.Tensor]", step: Step) -> "tf.Tensor":
            numbers, targets = batch
            answer = self.network(numbers, training=step.training)
            distance = compare(targets, answer)
            return distance + sum(self.network.losses) if step.training else distance

        return loss

    def after_step(self) -> None:
        """Raise the price; in the graph of a step, behind the optimizer."""
        import tensorflow as tf

        share = tf.cast(self._step.assign_add(1), tf.float32) / self._steps
        ratio = tf.constant(self._last / self._first, tf.float32)
        price = self._first * tf.pow(ratio, tf.minimum(share, 1.0))
        for layer in self._layers:
            layer.beta.assign(price)

    def forget_ranges(self) -> None:
        """Forget the ranges of activations, which each epoch measures anew."""
        for layer in self._layers:
            layer.reset_minmax()

    def freeze(self) -> None:
        """Leave the bits as they are from now on."""
        self.frozen = True

    def bit_operations(self) -> float:
        """Return bits of weight times bits of input, summed, once ranges were measured."""
        return float(sum(float(layer.compute_exact_bops) for layer in self._layers))
