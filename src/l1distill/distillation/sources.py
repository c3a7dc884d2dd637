"""Where a student's lessons come from while its teacher is trained with it: two schemes.

In co-training they come from a teacher's network, in self-distillation from layers behind the
student's own. Both are asked in the same way; knowledge and loss are the same for all.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from l1distill.distillation.open_teacher import OUTPUTS, Arrays, Compute, OpenTeacher
from l1distill.training.fit import Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


class Source(Protocol):
    """A network that teaches while it is trained."""

    latent: Sequence[str]
    """Layers that are latent."""
    known: Sequence[str]
    """All layers whose activations can be asked for."""

    @property
    def parts(self) -> "Sequence[keras.layers.Layer]":
        """What is trained beside the student."""

    def compute(
        self, layers: Sequence[str], hidden: "tf.Tensor", arrays: Arrays, step: Step
    ) -> "Mapping[str, tf.Tensor]":
        """Return the outputs and the activations of layers.

        Args:
            layers: whose activations are wanted.
            hidden: (n, nodes) the last hidden layer of the student.
            arrays: what the teacher's loss takes.
            step: of the training.
        """


class SeparateTeacher:
    """Co-training: a teacher with a network of its own."""

    def __init__(self, teacher: OpenTeacher) -> None:
        """Build the untrained network."""
        self._teacher = teacher
        self.model = teacher.build()
        self.latent: Sequence[str] = teacher.latent_layers()
        self.known: Sequence[str] = [layer.name for layer in self.model.layers]
        self._computes: dict[tuple[str, ...], Compute] = {}

    @property
    def parts(self) -> "Sequence[keras.layers.Layer]":
        """The whole network."""
        return [self.model]

    def compute(
        self, layers: Sequence[str], hidden: "tf.Tensor", arrays: Arrays, step: Step
    ) -> "Mapping[str, tf.Tensor]":
        """Ask the network; the student's layers have no part in it."""
        names = tuple(layers)
        if names not in self._computes:
            self._computes[names] = self._teacher.compute(self.model, names)
        return self._computes[names](arrays, step)


class DeeperLayers:
    """Self-distillation: layers in floating point behind the student's last hidden one.

    They mirror the student's layers and end in what the teacher's loss judges, as a reconstruction
    of the event. Student and teacher are the first and the last layers of one network ("be your own
    teacher", Zhang et al., arXiv:1905.08094).
    """

    def __init__(self, teacher: OpenTeacher, nodes: Sequence[int], hidden: int) -> None:
        """Build the layers.

        Args:
            teacher: says how many numbers come out.
            nodes: of the student's hidden layers.
            hidden: of the last of them.
        """
        from tensorflow.keras import layers

        self._layers = [
            layers.Dense(width, activation="relu", name=f"deep_{number}")
            for number, width in enumerate(reversed(nodes), 1)
        ]
        self._layers.append(layers.Dense(teacher.outputs(), name="deep_outputs"))
        for layer, width in zip(self._layers, [hidden, *reversed(nodes)], strict=True):
            layer.build((None, width))
        self.known: Sequence[str] = [layer.name for layer in self._layers[:-1]]
        self.latent: Sequence[str] = self.known[:1]

    @property
    def parts(self) -> "Sequence[keras.layers.Layer]":
        """The layers behind the student's."""
        return self._layers

    def compute(
        self, layers: Sequence[str], hidden: "tf.Tensor", arrays: Arrays, step: Step
    ) -> "Mapping[str, tf.Tensor]":
        """Go on from the student's last hidden layer."""
        activations = {}
        x = hidden
        for layer in self._layers:
            x = layer(x)
            activations[layer.name] = x
        return {OUTPUTS: x, **{name: activations[name] for name in layers}}
