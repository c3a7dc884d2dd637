"""The student while it is trained: pruned, with a view of its last hidden layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings, measure_sparsity, strip, with_pruning
from l1distill.models.families import build_network
from l1distill.models.students import OUTPUT_LAYER, NetworkSettings
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
    """

    model: "keras.Model"
    history: History
    sparsity: float

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers (n, outputs) of features (n, features)."""
        answers: NDArray[np.float32] = self.model.predict(
            features, batch_size=PREDICTION_BATCH, verbose=0
        )
        return answers

    def metrics(self) -> dict[str, float]:
        """Return ``parameters``, ``sparsity``, ``epochs`` and ``best_validation_loss``."""
        return {
            "sparsity": self.sparsity,
            "parameters": float(self.model.count_params()),
            **self.history.metrics(),
        }


class Pupil:
    """A student that is being trained.

    Attributes:
        model: the network that is fitted, with pruning wrappers.
        callbacks: what pruning needs to be told.
        full_from_epoch: the first epoch at the end of which it is as sparse as was asked for.
        hidden: numbers of each hidden layer, as the built network has them.
        hidden_width: numbers that go into the output layer.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        pruning: PruningSettings,
        *,
        items: int,
        shape: Sequence[int],
        outputs: int,
        input_exponents: Sequence[int] = (),
    ) -> None:
        """Build the network.

        Args:
            settings: layers, bits and training.
            pruning: how sparse, and when.
            items: to train with.
            shape: of an item's features, which it reads flattened.
            outputs: numbers that it answers.
            input_exponents: see :func:`l1distill.models.students.quantized_inputs`.
        """
        steps_per_epoch = math.ceil(items / settings.training.batch_size)
        model = build_network(settings, shape, outputs, input_exponents)
        pruned = with_pruning(model, pruning, steps_per_epoch)
        self.model = pruned.model
        self.callbacks = pruned.callbacks
        self.full_from_epoch = pruned.full_from_epoch
        weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]
        self.hidden = [math.prod(layer.output_shape[1:]) for layer in weighted[:-1]]
        self.hidden_width = int(model.get_layer(OUTPUT_LAYER).input_shape[-1])
        self._inside: Any = None

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
            self._inside = Model(self.model.input, [self.model.output, last.input])
        answer, activations = self._inside(features, training=training)
        return answer, activations

    def trained(self, history: History) -> TrainedStudent:
        """Return the student without what it was trained with."""
        model = strip(self.model)
        return TrainedStudent(model=model, history=history, sparsity=measure_sparsity(model))


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
