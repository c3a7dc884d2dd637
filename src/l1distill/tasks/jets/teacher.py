"""The jets teachers: a deep set on constituents, or a dense network on features, with labels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.distillation.open_teacher import OUTPUTS
from l1distill.tasks.jets.settings import JetsTeacherSettings
from l1distill.tasks.jets.statistics import Statistics
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.distillation.open_teacher import Compute

ANSWER = "logit"
_LATENT = "latent"


class JetsTeacher:
    """A classifier whose answer is the logit of H -> bb.

    Source:
        Deep sets: Zaheer et al., arXiv:1703.06114; on jets Komiske, Metodiev, Thaler,
        arXiv:1810.05165.
    """

    def __init__(self, settings: JetsTeacherSettings, statistics: Statistics) -> None:
        """Make a teacher that has no network yet.

        Raises:
            ConfigError: a deep set, and the data has no constituents.
        """
        if settings.architecture == "deep_set" and not statistics.constituents:
            raise ConfigError(
                "teacher.architecture=deep_set: the data has no constituents; read them with "
                "data.files.constituents, or set teacher.architecture=dense"
            )
        self._settings = settings
        self._statistics = statistics

    def build(self) -> "keras.Model":
        """Build the untrained network, from standardized features and constituents."""
        from tensorflow.keras import Model, layers

        measured = self._statistics
        numbers = len(measured.constituent)
        features = layers.Input((len(measured.features),), name="features")
        constituents = layers.Input((measured.constituents * numbers,), name="constituents")
        x, inputs = features, [features]
        if self._settings.architecture == "deep_set":
            inputs = [features, constituents] if self._settings.features else [constituents]
            each = layers.Reshape((measured.constituents, numbers), name="by_constituent")(
                constituents
            )
            for number, width in enumerate(self._settings.widths, 1):
                each = layers.Dense(width, activation="relu", name=f"each_{number}")(each)
            x = layers.GlobalAveragePooling1D(name="mean")(each)
            if self._settings.features:
                x = layers.Concatenate(name="all")([features, x])
        *first, last = self._settings.widths
        for number, width in enumerate(first, 1):
            x = layers.Dense(width, activation="relu", name=f"hidden_{number}")(x)
        x = layers.Dense(last, activation="relu", name=_LATENT)(x)
        return Model(inputs, layers.Dense(1, name=ANSWER)(x), name="jets_teacher")

    def prunable_layers(self) -> Sequence[str]:
        """Name all layers with weights."""
        widths = range(1, len(self._settings.widths) + 1)
        each = [f"each_{number}" for number in widths]
        hidden = [f"hidden_{number}" for number in widths[:-1]]
        return [
            *(each if self._settings.architecture == "deep_set" else ()),
            *hidden,
            _LATENT,
            ANSWER,
        ]

    def _inputs(self, jets: Any) -> Any:
        """Return what the network takes of jets (n, numbers), of NumPy or TensorFlow."""
        numbers, n_features = self._statistics.standardize(jets), len(self._statistics.features)
        features, constituents = numbers[:, :n_features], numbers[:, n_features:]
        if self._settings.architecture == "dense":
            return features
        return [features, constituents] if self._settings.features else constituents

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        """Return the binary cross-entropy of each jet."""

        def cross_entropy(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
            logits = model(self._inputs(batch[0]), training=step.training)
            return self.loss_of(logits, batch, step)

        return cross_entropy

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the logit of H -> bb, (n,)."""
        inputs = self._inputs(np.asarray(items, np.float32))
        return {ANSWER: model.predict(inputs, batch_size=4096, verbose=0)[:, 0]}

    def latent_layers(self) -> Sequence[str]:
        """Name the last hidden layer."""
        return [_LATENT]

    def outputs(self) -> int:
        """Return 1, the logit."""
        return 1

    def compute(self, model: "keras.Model", layers: Sequence[str]) -> "Compute":
        """Return a TensorFlow function of jets to the logit and to activations."""
        from tensorflow.keras import Model

        inner = [model.get_layer(name).output for name in layers]
        opened = Model(model.inputs, [model.output, *inner])

        def run(arrays: Sequence["tf.Tensor"], step: Step) -> Mapping[str, "tf.Tensor"]:
            given = opened(self._inputs(arrays[0]), training=step.training)
            outputs = given if layers else [given]
            return dict(zip([OUTPUTS, *layers], outputs, strict=True))

        return run

    def loss_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]", step: Step) -> Any:
        """Return the binary cross-entropy of logits (n, 1)."""
        return self.student_loss(outputs, arrays)

    def answer_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]") -> "tf.Tensor":
        """Return the logit, (n,)."""
        import tensorflow as tf

        return tf.reshape(outputs, [-1])

    def student_loss(self, answers: "tf.Tensor", arrays: "Sequence[tf.Tensor]") -> Any:
        """Return the binary cross-entropy of answers (n, 1), taken as logits."""
        import tensorflow as tf

        labels = tf.cast(arrays[1], tf.float32)
        return tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.reshape(answers, [-1]))
