"""The student while it is trained: pruned, with a view of its last hidden layer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.methods import Compressed, compress, starting_widths
from l1distill.compression.permutation import HeldOut
from l1distill.compression.pruning import measure_sparsity
from l1distill.compression.settings import CompressionSettings
from l1distill.compression.structure import Structure
from l1distill.models.families import build_network
from l1distill.models.float_twin import float_twin
from l1distill.models.folded_batch_norm import fold_batch_norm
from l1distill.models.student_network import NetworkSettings
from l1distill.models.students import OUTPUT_LAYER
from l1distill.training.checkpoint import file_of_part
from l1distill.training.fit import Arrays, Fit, OnEpoch, fit
from l1distill.training.history import History

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

PREDICTION_BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class TrainedStudent:
    """A trained student.

    Attributes:
        model: QKeras model from (n, features) to (n, outputs), both on the firmware's grid.
        history: losses by epoch.
        sparsity: share of its quantized weights that are zero.
        float_epochs: epochs of its history, from the first, in which it was not quantized.
        structure: the nodes and features that it was left with, where some were taken from it.
    """

    model: "keras.Model"
    history: History
    sparsity: float
    float_epochs: int = 0
    structure: Structure | None = None

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers (n, outputs) of features (n, features)."""
        answers: NDArray[np.float32] = self.model.predict(
            features, batch_size=PREDICTION_BATCH, verbose=0
        )
        return answers

    def metrics(self) -> dict[str, float]:
        """Return parameters, sparsity, figures of the history, and of the structure."""
        return {
            "sparsity": self.sparsity,
            "parameters": float(self.model.count_params()),
            **self.history.metrics(self.float_epochs),
            **({} if self.structure is None else self.structure.metrics()),
        }


class Pupil:
    """A student that is being trained.

    Attributes:
        model: the network that is fitted now, with pruning wrappers or gates: without quantizers
            in the float phase.
        callbacks: what pruning needs to be told.
        after_step: what it does in each step.
        fine_tune_from: the first epoch of a fine tuning behind it, if there is one.
        best_from_epoch: the first epoch whose weights may be kept: quantized, and as sparse as was
            asked for.
        float_epochs: epochs of the float phase.
        hidden: numbers of each hidden layer, as the built network has them.
        hidden_width: numbers that go into the output layer.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        pruning: CompressionSettings,
        *,
        items: int,
        shape: Sequence[int],
        outputs: int,
        input_exponents: Sequence[int] = (),
        seed: int = 0,
        held_out: HeldOut | None = None,
    ) -> None:
        """Build the network.

        Args:
            settings: layers, bits and training.
            pruning: how sparse or small, and when.
            items: to train with.
            shape: of an item's features, which it reads flattened.
            outputs: numbers that it answers.
            input_exponents: see :func:`l1distill.models.students.quantized_inputs`.
            seed: of what a method draws.
            held_out: what a method may judge the network by.
        """
        self._before = settings.hidden_nodes()
        widths = starting_widths(pruning, self._before)
        if widths is not None:
            settings = settings.with_nodes(widths)
        steps_per_epoch = math.ceil(items / settings.training.batch_size)
        model = build_network(settings, shape, outputs, input_exponents)
        twin = float_twin(model) if settings.float_epochs else None
        self.hidden_width = int(model.get_layer(OUTPUT_LAYER).input_shape[-1])

        def compressed(network: "keras.Model") -> Compressed:
            return compress(
                network,
                pruning,
                epochs=settings.training.epochs,
                steps_per_epoch=steps_per_epoch,
                seed=seed,
                held_out=held_out,
            )

        self._quantized = compressed(model)
        self.float_epochs = settings.float_epochs
        self.best_from_epoch = max(self._quantized.full_from_epoch, settings.float_epochs)
        self.fine_tune_from = self._quantized.fine_tune_from
        weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]
        self.hidden = [math.prod(layer.get_output_at(0).shape[1:]) for layer in weighted[:-1]]
        self._fit(self._quantized if twin is None else compressed(twin))

    def _fit(self, network: Compressed) -> None:
        """Make a network the one that is fitted."""
        self.model, self.callbacks = network.model, network.callbacks
        self.after_step = network.after_step
        self._inside: Any = None

    def quantize(self) -> None:
        """End the float phase: the weights, pruned as they are, go into the quantized network."""
        self._quantized.model.set_weights(self.model.get_weights())
        self._fit(self._quantized)

    def answer(self, features: "tf.Tensor", training: bool) -> "tf.Tensor":
        """Return the outputs (n, outputs)."""
        return self.model(features, training=training)

    def answer_and_hidden(
        self, features: "tf.Tensor", training: bool
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        """Return the outputs (n, outputs) and the last hidden layer (n, nodes)."""
        if self._inside is None:
            from tensorflow.keras import Model

            # what goes into the output layer, in its wrapper or not: layers without a wrapper
            # stand in the unpruned network as well, and have an output in either
            (last,) = (x for x in self.model.layers if x.name.endswith(OUTPUT_LAYER))
            self._inside = Model(self.model.input, [self.model.output, last.get_input_at(-1)])
        answer, activations = self._inside(features, training=training)
        return answer, activations

    def trained(self, history: History) -> TrainedStudent:
        """Return the student without what it was trained with."""
        model = fold_batch_norm(self._quantized.finished())
        structure = self._quantized.structure()
        if structure is not None:  # what was built smaller knows only itself
            structure = replace(structure, of_nodes=self._before)
        return TrainedStudent(
            model=model,
            history=history,
            sparsity=measure_sparsity(model),
            float_epochs=self.float_epochs,
            structure=structure,
        )


@dataclass(frozen=True)
class Phase:
    """A part of a training, and what changes at its end.

    Attributes:
        name: of the file that keeps its state.
        until: the epoch before which it ends.
        end: makes the change.
    """

    name: str
    until: int
    end: Callable[[], None]


def fit_pupil(
    pupil: Pupil,
    fit_now: Callable[[], Fit],
    arrays_now: Callable[[], tuple[Arrays, Arrays]],
    on_epoch: OnEpoch,
    checkpoint: Path | None,
    phases: Sequence[Phase] = (),
) -> History:
    """Fit a student in phases: the float phase first, if there is one, then what is quantized.

    Args:
        pupil: the student.
        fit_now: returns the training of the pupil's network as it is then.
        arrays_now: returns the arrays of the items to fit and to validate with, as they are then;
            see :func:`.fit.fit`.
        on_epoch: called after each epoch, whose numbers go on from phase to phase.
        checkpoint: file that keeps the state; those of earlier phases are beside it.
        phases: further phases before the last.

    Returns:
        The losses of all epochs. The network has the weights of its best epoch of the last phase.
    """
    history = History()
    if pupil.float_epochs:
        phases = [Phase("float", pupil.float_epochs, pupil.quantize), *phases]
    for phase in sorted(phases, key=lambda one: one.until):
        of_phase = file_of_part(checkpoint, phase.name)
        training = replace(fit_now(), until=phase.until, earlier=history)
        history = fit(training, *arrays_now(), on_epoch, of_phase)
        phase.end()
    return fit(replace(fit_now(), earlier=history), *arrays_now(), on_epoch, checkpoint)


def together(name: str, parts: "Sequence[keras.layers.Layer]") -> "keras.Model":
    """Return one model that holds the weights of several, for a training of them all.

    Args:
        name: of the model, in messages.
        parts: networks and layers that have their weights.
    """
    from tensorflow import keras

    class Together(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=name)
            self.parts = list(parts)

    return Together()
