"""DistillNet: a dense network that weights one particle at a time, from a teacher's soft labels.

Source:
    Bal et al. 2024, section 3; the weight of labels near 1 from the code published with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.errors import DataError
from l1distill.core.settings import Settings
from l1distill.data.splits import Split
from l1distill.simulation.columns import FloatArray
from l1distill.tasks.pileup.dataset import TRAINING, open_dataset
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.events import IDS, Events, RecordedCandidates
from l1distill.tasks.pileup.weights import Weights
from l1distill.training.fit import Fit, OnEpoch, Step, fit, ignore_epoch
from l1distill.training.history import History
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

N_FEATURES = 8 + len(IDS)
"""Features of a particle, see :func:`particle_features`."""
_D0_MM, _DZ_MM = 0.1, 0.2


class DistillNetSettings(Settings):
    """A student that weights one particle at a time; the defaults are those of the paper."""

    layers: tuple[int, ...] = Field(default=(128, 64), min_length=1)
    """Nodes of the hidden layers."""
    particles: int = Field(default=2_000_000, ge=1)
    """Particles to train on, at most; of more, those of the first events count."""
    hard_label: float = Field(default=0.95, ge=0, le=1)
    """Labels from here on count more."""
    hard_label_weight: float = Field(default=3.0, gt=0)
    """What their distance is multiplied by."""
    training: TrainingSettings = TrainingSettings(
        epochs=10, batch_size=256, learning_rate=0.0015, patience=10
    )
    """How it is trained; a batch is of particles."""


@dataclass(frozen=True, kw_only=True)
class TrainedStudent:
    """A trained student.

    Attributes:
        model: of features (n, 16) to weights (n, 1).
        history: its losses.
    """

    model: "keras.Model"
    history: History


def particle_features(particles: RecordedCandidates) -> NDArray[np.float32]:
    """Return the features of particles, (n, 16).

    eta / 4, phi / pi, log pT, log E, asinh of d0, asinh of dz, PUPPI weight, charge, and the eight
    ids. None is standardized: the ids would become dozens of deviations for rare particles.
    """
    columns = [
        particles.eta / 4.0,
        particles.phi / np.pi,
        np.log(particles.pt),
        np.log(particles.energy),
        np.arcsinh(particles.d0 / _D0_MM),
        np.arcsinh(particles.dz / _DZ_MM),
        particles.puppi,
        particles.charge,
        *np.eye(len(IDS))[particles.id].T,
    ]
    features: NDArray[np.float32] = np.stack(columns, axis=1).astype(np.float32)
    return features


def build_distillnet(settings: DistillNetSettings) -> "keras.Model":
    """Build the untrained network: dense layers, batch normalization, sigmoid."""
    from tensorflow.keras import Input, Model, layers

    inputs = Input((N_FEATURES,), name="particle")
    x = inputs
    for number, width in enumerate(settings.layers, 1):
        x = layers.Dense(width, activation="relu", name=f"dense_{number}")(x)
    x = layers.BatchNormalization(name="norm")(x)
    return Model(inputs, layers.Dense(1, activation="sigmoid", name="weight")(x), name="distillnet")


def distill(
    folder: Path,
    teacher: Weights,
    settings: DistillNetSettings,
    *,
    seed: int,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> TrainedStudent:
    """Train a student on a teacher's weights by mean absolute error (equation 2).

    Args:
        folder: of the data set.
        teacher: gives the label of each particle of a batch of events; the truth does as well.
        settings: of the student.
        seed: of weights and order.
        on_epoch: called after each epoch with its number and losses.
        checkpoint: where to keep the state after each epoch, see :func:`.fit.fit`.

    Raises:
        DataError: there is no data set, or a file of it cannot be used, or a label is none.
        FloatingPointError: a loss was not finite.
    """
    from l1distill.training.determinism import make_deterministic

    train = label_particles(folder, teacher, Split.TRAIN, settings.particles)
    validation = label_particles(folder, teacher, Split.VALIDATION, settings.particles)
    make_deterministic(seed)
    model = build_distillnet(settings)

    def loss(batch: "Sequence[tf.Tensor]", step: Step) -> "tf.Tensor":
        import tensorflow as tf

        features, labels = batch
        answers = model(features, training=step.training)[:, 0]
        factor = tf.where(labels >= settings.hard_label, settings.hard_label_weight, 1.0)
        return factor * tf.abs(answers - labels)

    fitting = Fit(model=model, loss=loss, settings=settings.training, seed=seed)
    history = fit(fitting, train, validation, on_epoch, checkpoint)
    return TrainedStudent(model=model, history=history)


def label_particles(
    folder: Path, teacher: Weights, split: Split, limit: int
) -> list[NDArray[np.float32]]:
    """Collect features (n, 16) and labels (n,) of a split of the training sample.

    Args:
        folder: of the data set.
        teacher: gives the labels.
        split: whose particles.
        limit: particles, at most.

    Raises:
        DataError: there is no data set, or a file of it cannot be used, or a label is not in
            [0, 1].
    """
    rows = open_dataset(folder).sample(TRAINING).events(split)
    features, labels, found = [np.zeros((0, N_FEATURES), np.float32)], [np.zeros(0)], 0
    for events in stream_events(folder / f"{TRAINING}.h5", rows.start, rows.stop):
        if found >= limit:
            break
        features.append(particle_features(events.particles))
        labels.append(teacher(events))
        found += len(features[-1])
    together = np.concatenate(labels)[:limit]
    if not ((together >= 0) & (together <= 1)).all():
        raise DataError("labels of particles must be in [0, 1]; another teacher is needed")
    return [np.concatenate(features)[:limit], together.astype(np.float32)]


def student_weights(model: "keras.Model") -> Weights:
    """Return a function of a batch of events to the student's weight of each particle, (n,)."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, N_FEATURES))

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def answer(features: "tf.Tensor") -> "tf.Tensor":
        return model(features, training=False)[:, 0]

    def weights(events: Events) -> FloatArray:
        given: FloatArray = answer(particle_features(events.particles)).numpy().astype(np.float64)
        return given

    return weights
