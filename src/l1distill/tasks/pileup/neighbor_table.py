"""The nearest neighbors of a file's particles, found once and looked up from then on.

Finding them costs about half of what a training step on them does, and each epoch needs the same.
"""

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import IntArray
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.graph import nearest_in_event

FindNeighbors = Callable[[Events], IntArray]
"""From a batch of events to :func:`.graph.nearest_in_event` of its particles."""
_NOT_FOUND_YET = -2


class NeighborTable:
    """Neighbors of the particles of one file, in a temporary file of 2 k bytes a particle.

    It is filled as events are asked for; the file has no name and goes with the process.
    """

    def __init__(self, particles: int, k: int, largest: int) -> None:
        """Make an empty table.

        Args:
            particles: of the file.
            k: neighbors of each.
            largest: particles of the largest event.
        """
        self._k = k
        kind = np.int16 if largest - _NOT_FOUND_YET <= np.iinfo(np.int16).max else np.int32
        shape = (max(particles, 1), k)
        with tempfile.TemporaryFile() as file:  # it lives on while it is mapped
            file.truncate(shape[0] * k * np.dtype(kind).itemsize)
            # zeros at first: a place is stored less the mark, so that they are the mark
            self._table: NDArray[Any] = np.memmap(file, kind, mode="r+", shape=shape)

    def __call__(self, events: Events) -> IntArray:
        """Return the places of the neighbors of a batch that was streamed from the file."""
        rows = events.rows
        kept = np.asarray(self._table[rows]).astype(np.int64) + _NOT_FOUND_YET
        if not (kept == _NOT_FOUND_YET).any():
            return kept
        found = nearest_in_event(events.particles, self._k)
        self._table[rows] = found - _NOT_FOUND_YET
        return found
