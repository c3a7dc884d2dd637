"""Training of the graph teacher on streamed events, and its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from l1distill.data.splits import Split
from l1distill.simulation.columns import FloatArray, IntArray
from l1distill.tasks.pileup.dataset import TRAINING, open_dataset
from l1distill.tasks.pileup.event_files import first_particles, stream_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.graph import build_graphs, nearest_in_event, positions
from l1distill.tasks.pileup.graph_losses import (
    build_targets,
    ptmiss_loss,
    random_directions,
    supervised_loss,
    wasserstein_loss,
)
from l1distill.tasks.pileup.graph_network import build_network
from l1distill.tasks.pileup.graph_settings import GraphSettings
from l1distill.tasks.pileup.neighbor_table import FindNeighbors, NeighborTable
from l1distill.tasks.pileup.responses import ResponseSettings, measure_responses, spread
from l1distill.tasks.pileup.weights import Weights, from_vertex
from l1distill.training.checkpoint import Checkpoint
from l1distill.training.earlier_epochs import tell_earlier
from l1distill.training.fit import OnEpoch, ignore_epoch
from l1distill.training.history import History
from l1distill.training.schedule import learning_rate

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras


@dataclass(frozen=True, kw_only=True)
class TrainedGraph:
    """A trained teacher.

    Attributes:
        model: with the weights of the best epoch.
        history: the loss of each epoch, and the validation jets' spread after it, see
            :func:`.responses.spread`.
    """

    model: "keras.Model"
    history: History


def train_graph(
    folder: Path,
    settings: GraphSettings,
    *,
    seed: int,
    window_mm: float,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> TrainedGraph:
    """Train a teacher on the training split of a data set.

    The weights that are kept are those of the epoch with the smallest spread of validation jets'
    responses (:func:`.responses.spread`): the loss alone goes on to fall while jets lose their
    scale.

    Args:
        folder: of the data set.
        settings: of the teacher.
        seed: of weights, order and directions.
        window_mm: see :class:`.puppi.PuppiSettings`.
        on_epoch: called after each epoch with its number and losses; first of all for the epochs
            of a state that is taken up.
        checkpoint: where to keep the state after each epoch; a state that is there already is
            taken up. The caller vouches that it belongs to the same training.

    Raises:
        DataError: there is no data set, or a file of it cannot be used.
        FloatingPointError: a loss was not finite.
    """
    from tensorflow import keras

    from l1distill.training.determinism import make_deterministic

    sample = open_dataset(folder).sample(TRAINING)
    path = folder / f"{TRAINING}.h5"
    train, validation = sample.events(Split.TRAIN), sample.events(Split.VALIDATION)
    make_deterministic(seed)
    model = build_network(settings)
    training = settings.training
    optimizer = keras.optimizers.Adam(training.learning_rate, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    state = Checkpoint(model, optimizer, checkpoint)
    for epoch, losses in enumerate(state.losses()):
        tell_earlier(on_epoch, epoch, losses)
    step = _compiled(model, optimizer, settings)
    first = first_particles(path)
    table = NeighborTable(int(first[-1]), settings.neighbors, int(np.diff(first).max(initial=0)))
    weights = graph_weights(model, settings, window_mm, table)
    events_per_block = training.batch_size
    starts = np.arange(train.start, train.stop, events_per_block)
    while not state.ended and state.epoch < training.epochs:
        epoch = state.epoch
        optimizer.learning_rate = learning_rate(training, state.history.validation_loss)
        order = np.random.default_rng([seed, epoch]).permutation(starts)
        total = 0.0
        for number, start in enumerate(order.tolist()):
            stop = min(start + events_per_block, train.stop)
            for events in stream_events(path, start, stop, batch=events_per_block):
                arrays = _arrays(events, table, window_mm)
                total += float(step(arrays, np.array([epoch, number], np.int32)))
        jets = _validate(weights, path, validation)
        losses = {"loss": total / len(order), "val_loss": jets}
        if not all(np.isfinite(value) for value in losses.values()):
            raise FloatingPointError(
                f"{model.name}: the loss became {losses} in epoch {epoch}; "
                "try a smaller training.learning_rate, or more events to validate with"
            )
        state.add(losses, training.patience, 0)
        on_epoch(epoch, losses)
    model.set_weights(state.best_weights)
    return TrainedGraph(model=model, history=state.history)


def graph_weights(
    model: "keras.Model",
    settings: GraphSettings,
    window_mm: float,
    neighbors: FindNeighbors | None = None,
) -> Weights:
    """Return a function of a batch of events to the teacher's weight of each particle, (n,).

    Args:
        model: the teacher.
        settings: of it.
        window_mm: see :class:`.puppi.PuppiSettings`.
        neighbors: gives those of a batch; None: they are found each time.
    """
    import tensorflow as tf

    def find(events: Events) -> IntArray:
        return nearest_in_event(events.particles, settings.neighbors)

    find_neighbors = neighbors or find

    # one graph for events of any size
    @tf.function(input_signature=[_specs(model)])  # type: ignore[untyped-decorator]
    def answer(inputs: "list[tf.Tensor]") -> "tf.Tensor":
        return model(inputs, training=False)

    def weights(events: Events) -> FloatArray:
        particles = events.particles
        graphs = build_graphs(events, from_vertex(particles, window_mm), find_neighbors(events))
        padded = answer([tf.constant(array) for array in graphs.inputs()]).numpy()
        own: FloatArray = padded[particles.event, positions(particles.event, len(events))]
        return own.astype(np.float64)

    return weights


def _specs(model: "keras.Model") -> "list[tf.TensorSpec]":
    import tensorflow as tf

    return [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in model.inputs]


def _arrays(events: Events, neighbors: FindNeighbors, window_mm: float) -> list[Any]:
    vertex = from_vertex(events.particles, window_mm)
    graphs = build_graphs(events, vertex, neighbors(events))
    return [*graphs.inputs(), *build_targets(events).arrays()]


def _compiled(
    model: "keras.Model", optimizer: "keras.optimizers.Optimizer", settings: GraphSettings
) -> Callable[[list[Any], Any], "tf.Tensor"]:
    """Return one step of the optimizer as a TensorFlow function of any number of particles."""
    import tensorflow as tf

    inputs = len(model.inputs)

    targets = [tf.TensorSpec(shape) for shape in ((None, None, 3), (None, None), (None, None, 3))]
    specs = [[*_specs(model), *targets], tf.TensorSpec((2,), tf.int32)]

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def step(arrays: "list[tf.Tensor]", seed: "tf.Tensor") -> "tf.Tensor":
        momenta, hard_fraction, alone = arrays[inputs:]
        with tf.GradientTape() as tape:
            weights = model(arrays[:inputs], training=True)
            if settings.loss == "supervised":
                loss = supervised_loss(weights, momenta, hard_fraction, settings.pt_power)
            else:
                directions = random_directions(settings.directions, seed)
                distance = wasserstein_loss(weights, momenta, alone, directions)
                loss = settings.wasserstein_weight * distance
                loss += settings.ptmiss_weight * ptmiss_loss(weights, momenta, alone)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def run(arrays: list[Any], seed: Any) -> "tf.Tensor":
        return step([tf.constant(array) for array in arrays], tf.constant(seed))

    return run


def _validate(weights: Weights, path: Path, rows: slice) -> float:
    """Return the spread of the responses of validation jets."""
    batches = stream_events(path, rows.start, rows.stop, batch=4)
    responses = measure_responses(batches, {"teacher": weights}, ResponseSettings())
    return spread(responses["jet_pt"]["teacher"])
