"""The study of pileup: figures 2 to 5 and table 2 of Bal et al. 2024, from logged runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from l1distill.artifacts.folders import INPUTS, STUDENT_MODEL, TEACHER_MODEL
from l1distill.artifacts.runs import LoggedRun, RunFinder
from l1distill.core.errors import DataError
from l1distill.core.workspace import write_text
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.evaluation.curves import Curve, read_curve
from l1distill.models import keras_files
from l1distill.reporting.pictures import Picture
from l1distill.reporting.study_page import render_study
from l1distill.reporting.tables import Table
from l1distill.simulation.columns import FloatArray
from l1distill.tasks.pileup import study_plots, study_tables
from l1distill.tasks.pileup.dataset import TEST, vertex_window_mm
from l1distill.tasks.pileup.evaluation import JETS, PTMISS, PUPPI, STUDENT, TEACHER, WEIGHTS
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.inference import dense_operations, operations, time_per_event
from l1distill.tasks.pileup.maps import pt_ratio_maps
from l1distill.tasks.pileup.particles import particle_numbers
from l1distill.tasks.pileup.plots import METHODS
from l1distill.tasks.pileup.study_runs import FLOAT, Model, gather
from l1distill.tasks.pileup.weights import Weights, puppi_anew

if TYPE_CHECKING:
    from tensorflow import keras

_MAP_EVENTS = 400
_SIZES = (1, 2, 5, 10)
_PARTICLES = 9000
_TITLE = "Pileup: a graph teacher and DistillNet"


class PileupStudy:
    """Writes how well teachers and students do beside PUPPI, and what they cost."""

    def check(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> None:
        """Refuse a study without anything to begin with.

        Raises:
            DataError: no teacher was trained on the data set.
        """
        gather(runs, experiments, dataset.md5)

    def write(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str], folder: Path
    ) -> Mapping[str, float]:
        """Write ``index.html``, ``report.md`` and ``plots/``.

        Maps and times are of the networks of the first seed, measured anew.

        Args:
            runs: finds logged runs.
            dataset: the runs are about it.
            experiments: names of the experiments ``graphs``, ``floats`` and ``fixed``.
            folder: to write into.

        Raises:
            DataError: no teacher was trained on it, or a run lacks a file.
        """
        models = gather(runs, experiments, dataset.md5)
        with TemporaryDirectory() as name:
            work = Path(name)
            curves = {
                family: _curves(runs, models, family, work)
                for family in (f"response_{PTMISS}", f"response_{JETS}", WEIGHTS)
            }
            networks = {model.title: _network(runs, model, work) for model in models}
            encodings = {
                model.title: InputEncoding.read(_file(runs, model.runs[0], INPUTS, work))
                for model in models
                if model.name == STUDENT
            }
        window = vertex_window_mm(dataset)
        weights = {
            title: _graph(network, window)
            if title == TEACHER
            else student_weights(network, encodings[title])
            for title, network in networks.items()
        }
        rows = dataset.evaluation_events(TEST)
        last = min(rows.stop, rows.start + _MAP_EVENTS)
        batches = stream_events(dataset.path(TEST), rows.start, last, batch=4)
        maps = pt_ratio_maps(batches, {PUPPI: lambda events: events.particles.puppi, **weights})
        sizes, particles, times = _times(dataset, weights, window)
        pictures = [
            study_plots.draw_responses(
                {one: curves[f"response_{one}"] for one in (PTMISS, JETS)}, folder
            ),
            study_plots.draw_weights(curves[WEIGHTS], folder),
            study_plots.draw_maps(maps, folder),
            study_plots.draw_times(times, sizes, folder),
        ]
        tables = [study_tables.resolutions(models, quantity) for quantity in (PTMISS, JETS)]
        alike = study_tables.similarity(models)
        tables += [] if alike is None else [alike]
        tables += [
            study_tables.costs(_costs(networks)),
            study_tables.times(times, sizes, particles),
        ]
        _render(models, dataset, tables, pictures, folder)
        return {
            "graph_teachers": float(len(models[0].runs)),
            "particle_students": float(sum(len(one.runs) for one in models[1:])),
        }


def _render(
    models: Sequence[Model],
    dataset: Dataset,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    folder: Path,
) -> None:
    training = dataset.card.files[dataset.training_sample]
    events = dataset.evaluation_events(TEST)
    lead = (
        f"{sum(len(model.runs) for model in models)} networks on the data set "
        f"{dataset.card.dataset} ({dataset.md5[:12]}): {training.train} events of W + jets to "
        f"train with, {events.stop - events.start} of dileptonic top pairs to test with, "
        f"{dataset.card.settings.get('pileup', float('nan')):g} pileup collisions on average."
    )
    html, text = render_study(_TITLE, lead, study_tables.verdicts(models), tables, pictures)
    write_text(folder / "index.html", html)
    write_text(folder / "report.md", text)


def _file(runs: RunFinder, run: LoggedRun, path: str, work: Path) -> Path:
    folder = work / run.run_id
    folder.mkdir(exist_ok=True)
    try:
        return runs.download(run.run_id, path, folder)
    except FileNotFoundError as error:
        raise DataError(
            f"run {run.run_id}: the store has no {path} of it; train it again"
        ) from error


def _network(runs: RunFinder, model: Model, work: Path) -> "keras.Model":
    import l1distill.tasks.pileup.graph_network  # noqa: F401 (importing makes its layers known)

    name = TEACHER_MODEL if model.name == TEACHER else STUDENT_MODEL
    return keras_files.load(_file(runs, model.runs[0], name, work))


def _curves(runs: RunFinder, models: Sequence[Model], family: str, work: Path) -> dict[str, Curve]:
    """Return the curves of methods without training, and of the first seed of each model."""
    teacher = models[0].runs[0]
    own = [PUPPI] if family == WEIGHTS else list(METHODS)
    curves = {name: read_curve(_file(runs, teacher, f"{family}/{name}.csv", work)) for name in own}
    for model in models:
        path = f"{family}/{model.name}.csv"
        curves[model.title] = read_curve(_file(runs, model.runs[0], path, work))
    return curves


def _graph(model: "keras.Model", window_mm: float) -> Weights:
    from l1distill.tasks.pileup.graph_settings import GraphSettings
    from l1distill.tasks.pileup.graph_training import graph_weights

    return graph_weights(model, GraphSettings(neighbors=model.inputs[1].shape[-1]), window_mm)


def student_weights(model: "keras.Model", encoding: InputEncoding) -> Weights:
    """Return a function of a batch of events to a student's weight of each particle, (n,).

    Args:
        model: the student, of features (n, features) to weights (n, 1).
        encoding: how the numbers of a particle become its features.
    """
    import tensorflow as tf

    spec = tf.TensorSpec(model.inputs[0].shape)

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def answer(features: "tf.Tensor") -> "tf.Tensor":
        return model(features, training=False)[:, 0]

    def weights(events: Events) -> FloatArray:
        features = encoding.apply(particle_numbers(events.particles))
        given: FloatArray = answer(tf.constant(features)).numpy().astype(np.float64)
        return np.clip(given, 0.0, 1.0)

    return weights


def _times(
    dataset: Dataset, weights: Mapping[str, Weights], window_mm: float
) -> tuple[list[int], float, dict[str, list[float]]]:
    """Return batch sizes, particles of an event, and times of an event [s]."""
    from l1distill.tasks.pileup.graph_network import build_network
    from l1distill.tasks.pileup.graph_settings import PUBLISHED
    from l1distill.tasks.pileup.graph_training import graph_weights

    rows = dataset.evaluation_events(TEST)
    (events,) = stream_events(
        dataset.path(TEST), rows.start, min(rows.stop, rows.start + _SIZES[-1]), batch=_SIZES[-1]
    )
    sizes = [size for size in _SIZES if size <= len(events)]
    puppi = GeneratorSettings.model_validate(dict(dataset.card.settings)).puppi

    methods = {
        "published teacher (untrained)": graph_weights(
            build_network(PUBLISHED), PUBLISHED, window_mm
        ),
        **weights,
        "PUPPI": puppi_anew(puppi),
    }
    particles = len(events.particles.event) / len(events)
    return sizes, particles, time_per_event(events, methods, sizes)


def _costs(networks: Mapping[str, "keras.Model"]) -> list[study_tables.Cost]:
    from l1distill.tasks.pileup.graph_network import build_network
    from l1distill.tasks.pileup.graph_settings import PUBLISHED

    published = build_network(PUBLISHED, _PARTICLES, features=14)
    found = [
        study_tables.Cost(
            title="published teacher",
            parameters=_trained(published),
            operations=operations(published) / 1e6,
            published=("270k", "6,590"),
        )
    ]
    for title, model in networks.items():
        if title == TEACHER:
            per_event = operations(_of_size(model, _PARTICLES))
        else:
            kernels = [one.shape for one in model.trainable_variables if len(one.shape) == 2]
            nodes = [int(kernels[0][0]), *(int(shape[1]) for shape in kernels)]
            per_event = _PARTICLES * dense_operations(nodes)
        known = {FLOAT: ("10k", "188")}.get(title, ("", ""))
        found.append(
            study_tables.Cost(
                title=title,
                parameters=_trained(model),
                operations=per_event / 1e6,
                published=known,
            )
        )
    return found


def _of_size(model: "keras.Model", particles: int) -> "keras.Model":
    """Return the network for a fixed number of particles, whose operations can be counted."""
    from tensorflow.keras import Input, Model

    inputs = [Input((particles, *one.shape[2:]), dtype=one.dtype) for one in model.inputs]
    return Model(inputs, model(inputs))


def _trained(model: "keras.Model") -> float:
    return float(sum(int(np.prod(one.shape)) for one in model.trainable_variables))
