"""Responses to weights of the test sample's events: here, or block by block on any executor."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import write_arrays
from l1distill.data.dataset import Dataset
from l1distill.simulation.columns import FloatArray
from l1distill.simulation.jobs import (
    EventBlock,
    blocks_of,
    fingerprint,
    job_path,
    make_once,
    package_versions,
    run_jobs,
)
from l1distill.tasks.pileup.dataset import TEST, vertex_window_mm
from l1distill.tasks.pileup.event_files import BATCH, stream_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.responses import (
    QUANTITIES,
    Responses,
    ResponseSettings,
    join,
    measure_responses,
)
from l1distill.tasks.pileup.weights import Weights, classical_weights
from l1distill.tasks.records import Services

EVENTS_OF_A_BLOCK = 6 * BATCH
"""Events of a job: whole batches, so that numbers are rounded as in one pass over all."""

_COLUMNS = ("values", "event")

ByMethod = Mapping[str, Mapping[str, Responses]]
"""``ptmiss`` and ``jet_pt``, each by method."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a worker has to know; goes to other processes.

    Attributes:
        events: file of the test sample.
        window_mm: of charged hadron subtraction, see :func:`.weights.classical_weights`.
        weights: name of a model to a file with its weights, (n,), in the order of the particles.
        settings: which events and jets count.
    """

    events: Path
    window_mm: float
    weights: Mapping[str, Path]
    settings: ResponseSettings


def responses_to_weights(
    weights: Mapping[str, NDArray[np.float32]],
    dataset: Dataset,
    settings: ResponseSettings,
    services: Services | None = None,
) -> ByMethod:
    """Measure the responses of models, and of the methods without training beside them.

    Args:
        weights: name of a model to its weights of the test sample's particles, (n,).
        dataset: they are of its particles.
        settings: which events and jets count.
        services: where the work is done, on which the numbers do not depend; finished blocks stay
            in its folder. None: in this process.

    Raises:
        DataError: the file of events cannot be used.
        ResourceError: workers stay away or were killed.
    """
    path, window_mm = dataset.path(TEST).absolute(), vertex_window_mm(dataset)
    total = dataset.card.files[TEST].events
    if services is None:
        return _measure(path, slice(0, total), window_mm, weights, settings)
    hashed = {name: hashlib.sha256(values.data).hexdigest() for name, values in weights.items()}
    made_of = f"{dataset.md5} {hashed} {settings.model_dump_json()}"
    folder = services.work / "responses" / fingerprint(made_of, package_versions(), __name__)
    folder.mkdir(parents=True, exist_ok=True)
    files = _write(weights, folder.absolute())
    asked = Measured(events=path, window_mm=window_mm, weights=files, settings=settings)
    blocks = blocks_of(TEST, total, EVENTS_OF_A_BLOCK)
    with services.executor() as executor, services.progress("measure", total, "events") as advance:
        run_jobs(measure_block, asked, [blocks], folder, executor, advance)
    parts = [_read(job_path(folder, block), block) for block in blocks]
    return {
        quantity: {name: join([part[quantity][name] for part in parts]) for name in by_method}
        for quantity, by_method in parts[0].items()
    }


def measure_block(asked: Measured, block: EventBlock, folder: Path) -> None:
    """Leave a file with the responses of a block's events, unless it is there.

    Args:
        asked: what is measured.
        block: which events.
        folder: where the files of all blocks are.
    """

    def make(path: Path, _: Callable[[float], None]) -> None:
        weights = {name: np.load(file, mmap_mode="r") for name, file in asked.weights.items()}
        events = slice(block.start, block.start + block.events)
        found = _measure(asked.events, events, asked.window_mm, weights, asked.settings)
        arrays = {
            f"{quantity}/{name}/{column}": getattr(responses, column)
            for quantity, by_method in found.items()
            for name, responses in by_method.items()
            for column in _COLUMNS
        }
        write_arrays(path, arrays)

    make_once(folder, block, make)


def _measure(
    path: Path,
    events: slice,
    window_mm: float,
    weights: Mapping[str, NDArray[np.float32]],
    settings: ResponseSettings,
) -> ByMethod:
    methods: dict[str, Weights] = {
        **classical_weights(window_mm),
        **{name: _looked_up(values) for name, values in weights.items()},
    }
    return measure_responses(stream_events(path, events.start, events.stop), methods, settings)


def _looked_up(weights: NDArray[np.float32]) -> Weights:
    """Return the weights of events of the test sample's file, of which all are evaluated."""

    def of(events: Events) -> FloatArray:
        return weights[events.rows].astype(np.float64)

    return of


def _write(weights: Mapping[str, NDArray[np.float32]], folder: Path) -> Mapping[str, Path]:
    """Write each model's weights to a file, of which workers read the rows that they need."""
    files = {name: folder / f"{name}.npy" for name in weights}
    for name, file in files.items():
        np.save(file, weights[name])
    return files


def _read(path: Path, block: EventBlock) -> ByMethod:
    found: dict[str, dict[str, Responses]] = {quantity: {} for quantity in QUANTITIES}
    with np.load(path) as file:
        for key in file:
            quantity, name, column = key.split("/")
            if column == _COLUMNS[0]:
                values, event = (file[f"{quantity}/{name}/{of}"] for of in _COLUMNS)
                found[quantity][name] = Responses(values=values, event=event, n_events=block.events)
    return found
