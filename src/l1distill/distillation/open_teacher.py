"""Teachers whose network a student may ask: their activations, and their loss as a function."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.distillation.settings import RECONSTRUCTION, DistillationSettings
from l1distill.distillation.teacher import AnyTeacher, Teacher
from l1distill.training.fit import Step, outside_of_training

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

OUTPUTS = "outputs"
"""Name of the numbers of a teacher's last layer among its activations."""
BLOCK = 4096
"""Items that a teacher is asked about at a time."""

Arrays = Sequence["tf.Tensor"]
Compute = Callable[[Arrays, Step], Mapping[str, "tf.Tensor"]]
"""From a batch of the teacher's arrays to its outputs (n, ...) and the activations of layers."""


@runtime_checkable
class OpenTeacher(Teacher, Protocol):
    """A teacher that hands over more than its answers, or that is trained with its student.

    ``arrays`` are what its loss takes (``Task.training_arrays``), in batches. The first of them
    holds the items; outside of a training there is no other.
    """

    def latent_layers(self) -> Sequence[str]:
        """Name the layers whose activations are latent, by their Keras names."""

    def outputs(self) -> int:
        """Return how many numbers a network needs to give for :meth:`loss_of` to judge it.

        Raises:
            ConfigError: it judges no network but its own; there is no self-distillation then.
        """

    def compute(self, model: "keras.Model", layers: Sequence[str]) -> Compute:
        """Return a TensorFlow function of the network.

        Args:
            model: the network.
            layers: whose activations are wanted beside its outputs, by their Keras names.

        Returns:
            A function to ``OUTPUTS``, (n, outputs), and to the activations, by their layers.
        """

    def loss_of(self, outputs: "tf.Tensor", arrays: Arrays, step: Step) -> "tf.Tensor":
        """Return the teacher's own loss of each item, (n,), given a network's outputs."""

    def answer_of(self, outputs: "tf.Tensor", arrays: Arrays) -> "tf.Tensor":
        """Return the answer that students learn, (n,) or (n, outputs), as TensorFlow numbers."""


@runtime_checkable
class SupervisedTeacher(Protocol):
    """A teacher of a task with truth: what a student is told beside its teacher's answers."""

    def student_loss(self, answers: "tf.Tensor", arrays: Arrays) -> "tf.Tensor":
        """Return how far answers of a student are from the truth, (n,).

        Args:
            answers: (n, outputs) in the teacher's own scale, not standardized; of a decision, the
                logit.
            arrays: see :class:`OpenTeacher`.
        """


@runtime_checkable
class TrueAnswers(SupervisedTeacher, Protocol):
    """One whose truth is an answer that a student could give, which may be high as any other."""

    def true_answers(self, arrays: Arrays) -> "tf.Tensor":
        """Return what a student should answer by the truth, (n, outputs)."""


def open_teacher(teacher: AnyTeacher, name: str, wanted_by: str) -> OpenTeacher:
    """Return a teacher as one that can be asked.

    Args:
        teacher: of a task.
        name: of the task.
        wanted_by: the setting that needs it.

    Raises:
        ConfigError: it hands over its answers alone.
    """
    if not isinstance(teacher, OpenTeacher):
        raise ConfigError(
            f"{wanted_by}: the teachers of task={name} hand over their answers alone; give them "
            "the methods of l1distill.distillation.open_teacher.OpenTeacher, or distill the "
            "response offline"
        )
    return teacher


def wanted_layers(
    settings: DistillationSettings, latent: Sequence[str], known: Iterable[str]
) -> dict[str, list[str]]:
    """Return the layers of the teacher that each kind of knowledge is in.

    Args:
        settings: kinds with their weights.
        latent: layers that stand for an empty list.
        known: names of all layers.

    Raises:
        ConfigError: there is no such layer.
    """
    layers = {
        kind: [OUTPUTS]
        if kind == RECONSTRUCTION
        else list(getattr(settings, kind).layers or latent)
        for kind in settings.of_network
    }
    names = list(known)
    for kind, wanted in layers.items():
        for layer in wanted:
            if layer != OUTPUTS and layer not in names:
                raise ConfigError(
                    f"distillation.{kind}.layers: the teacher has no layer {layer!r}; choose among "
                    f"{', '.join(names)}"
                )
    return layers


def inner_layers(layers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of all layers of :func:`wanted_layers` that are not the last one."""
    return sorted({name for wanted in layers.values() for name in wanted} - {OUTPUTS})


def side_by_side(outputs: Mapping[str, "tf.Tensor"], layers: Sequence[str]) -> "tf.Tensor":
    """Return the activations of layers, flattened and side by side, (n, numbers)."""
    import tensorflow as tf

    flat = [tf.reshape(outputs[layer], (tf.shape(outputs[layer])[0], -1)) for layer in layers]
    widths = [outputs[layer].shape[1:].num_elements() for layer in layers]
    joined = tf.concat(flat, axis=1) if len(flat) > 1 else flat[0]
    return tf.ensure_shape(joined, (None, sum(widths)))


def ask(
    teacher: OpenTeacher,
    model: "keras.Model",
    layers: Mapping[str, Sequence[str]],
    items: NDArray[Any],
) -> dict[str, NDArray[np.float32]]:
    """Compute the activations of a trained teacher on items.

    Args:
        teacher: whose network it is.
        model: the trained network.
        layers: those of each kind of knowledge; see :func:`wanted_layers`.
        items: (n, ...) raw items.

    Returns:
        Of each kind (n, numbers).
    """
    import tensorflow as tf

    compute = teacher.compute(model, inner_layers(layers))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(block: "tf.Tensor") -> Any:
        outputs = compute([block], outside_of_training())
        return {kind: side_by_side(outputs, wanted) for kind, wanted in layers.items()}

    return in_blocks(run, items)


def in_blocks(
    run: Callable[..., Mapping[str, "tf.Tensor"]], *arrays: NDArray[Any]
) -> dict[str, NDArray[np.float32]]:
    """Compute what a TensorFlow function returns for items, :data:`BLOCK` at a time.

    Args:
        run: from a block of each array to results (block, ...) by their names.
        arrays: (n, ...) each.
    """
    import tensorflow as tf

    blocks = [
        run(*(tf.constant(values[start : start + BLOCK], tf.float32) for values in arrays))
        for start in range(0, len(arrays[0]), BLOCK)
    ]
    return {name: np.concatenate([block[name].numpy() for block in blocks]) for name in blocks[0]}
