"""The pileup teacher as stages see it: a graph network that is trained and asked event by event."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.progress import Advance
from l1distill.data.dataset import Dataset
from l1distill.distillation.teacher import TrainedTeacher
from l1distill.tasks.pileup.dataset import vertex_window_mm
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.settings import PileupTeacherSettings
from l1distill.training.fit import OnEpoch

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

ANSWER = "weight"
_BATCH = 4


class GraphTeacher:
    """A teacher whose answer is the weight of each particle, in [0, 1]."""

    def __init__(self, settings: PileupTeacherSettings) -> None:
        """Make a teacher that has no network yet."""
        self._settings = settings

    def prunable_layers(self) -> Sequence[str]:
        """Name none."""
        return ()

    def train_on(
        self, dataset: Dataset, *, seed: int, on_epoch: OnEpoch, checkpoint: Path | None
    ) -> TrainedTeacher:
        """Train on streamed events; see :func:`.graph_training.train_graph`."""
        from l1distill.tasks.pileup.graph_training import train_graph

        trained = train_graph(
            dataset.folder,
            self._settings,
            seed=seed,
            window_mm=vertex_window_mm(dataset),
            on_epoch=on_epoch,
            checkpoint=checkpoint,
        )
        return TrainedTeacher(model=trained.model, history=trained.history, sparsity=0.0)

    def read(self, path: Path) -> "keras.Model":
        """Read a trained network."""
        import l1distill.tasks.pileup.graph_network  # noqa: F401 (importing makes its layers known)
        from l1distill.models import keras_files

        return keras_files.load(path)

    def answers_on(
        self,
        model: "keras.Model",
        dataset: Dataset,
        sample: str,
        advance: Advance,
        events: slice | None = None,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the weight of each particle of a sample, or of some of its events, (n,)."""
        from l1distill.tasks.pileup.graph_training import graph_weights

        weights_of = graph_weights(model, self._settings, vertex_window_mm(dataset))
        asked = events or slice(0, dataset.card.files[sample].events)
        weights = [np.zeros(0, np.float32)]
        for batch in stream_events(dataset.path(sample), asked.start, asked.stop, batch=_BATCH):
            weights.append(weights_of(batch).astype(np.float32))
            advance(len(batch))
        return {ANSWER: np.concatenate(weights)}

    def student_loss(self, answers: "tf.Tensor", arrays: "Sequence[tf.Tensor]") -> Any:
        """Return the distance of weights (n, 1) from the true hard fraction, (n,)."""
        import tensorflow as tf

        return tf.abs(answers - self.true_answers(arrays))[:, 0]

    def true_answers(self, arrays: "Sequence[tf.Tensor]") -> "tf.Tensor":
        """Return the true hard fraction, (n, 1)."""
        import tensorflow as tf

        return tf.cast(arrays[1], tf.float32)[:, None]
