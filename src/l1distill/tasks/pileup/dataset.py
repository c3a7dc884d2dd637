"""The pileup data set on disk: W + jets to train on, dileptonic top pairs to test."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError
from l1distill.data.card import MADE_BY
from l1distill.data.dataset import Dataset, Items
from l1distill.data.dataset import open_dataset as open_any_dataset
from l1distill.tasks.pileup.event_files import first_particles, stream_events
from l1distill.tasks.pileup.particles import NUMBERS, particle_numbers

TRAINING = "wjets"
TEST = "ttbar"
TRUTH = "hard_fraction"
"""Column: (n,) share of its pT that a particle has of the hard collision."""
_BATCH = 64
_SAMPLES = 2


def open_dataset(folder: Path) -> Dataset:
    """Open a data set; its items are particles, one event behind the other.

    The numbers of a particle are :data:`.particles.NUMBERS`. Whole events are streamed by
    :func:`.event_files.stream_events` from :meth:`.Dataset.path`.

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    # what is asked for several times is read once
    read = lru_cache(maxsize=_SAMPLES)(read_items)
    return open_any_dataset(folder, read, TRAINING, first_particles)


def vertex_window_mm(dataset: Dataset) -> float:
    """Return the window of the hard collision's tracks that the data was made with [mm].

    Raises:
        DataError: its card names none.
    """
    try:
        return float(dataset.card.settings["puppi"]["vertex_window_mm"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{dataset.folder}: its card names no puppi.vertex_window_mm; run generate again"
        ) from error


def read_items(path: Path) -> Items:
    """Read the particles of a sample, a batch of events at a time.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    first = first_particles(path)
    values: NDArray[np.float16] = np.zeros((int(first[-1]), len(NUMBERS)), np.float16)
    truth = np.zeros(len(values), np.float16)
    for events in stream_events(path, batch=_BATCH):
        rows = events.rows
        values[rows] = particle_numbers(events.particles)
        truth[rows] = events.particles.hard_fraction
        wrong = ~np.isfinite(values[rows])
        if wrong.any():
            row, place = (int(found[0]) for found in np.nonzero(wrong))
            raise DataError(
                f"{path}: particle {rows.start + row}: {NUMBERS[place]} is "
                f"{values[rows.start + row, place]:g}; {way_back(path, MADE_BY, damaged=True)}"
            )
    return Items(values=values, columns={TRUTH: truth})
