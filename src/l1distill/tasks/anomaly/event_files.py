"""Read and write event files: the public layout, contiguous, so that they are memory-mapped.

A file has the data set ``Particles`` of the published files (see :mod:`.events`),
but contiguous, uncompressed and in float32, the precision that events are generated in. Its events
stand in the order train, test, validation, so that each part of the data set is one slice.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError
from l1distill.data.card import MADE_BY
from l1distill.data.contiguous import OPTIONS, map_dataset, new_file
from l1distill.data.splits import Split, assign
from l1distill.tasks.anomaly.events import CLASSES, FEATURES, N_OBJECTS, Events, to_particles

_ROW = (N_OBJECTS, len(FEATURES))
_BLOCK = 65_536  # events copied at once: 20 MB


class EventSpool:
    """Collect any number of events and write them as one file, all or nothing.

    Events go to disk as they come, each into its part of the data set; leaving the context without
    an exception puts the parts together under the final name. The same events in the same order
    give the same bytes, however they were cut.
    """

    def __init__(self, path: Path) -> None:
        """Prepare to write ``path``, whose folder must exist."""
        self.path = path
        self.counts = {split.name.lower(): 0 for split in Split}
        """Events by part: train, test, validation."""
        self._has_process: bool | None = None

    def __enter__(self) -> "EventSpool":
        """Open the scratch files, beside the final one."""
        self._scratch = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name}."))
        self._particles = [self._open("particles", split) for split in Split]
        self._process = [self._open("process", split) for split in Split]
        return self

    def _open(self, column: str, split: Split) -> BinaryIO:
        return (self._scratch / f"{column}-{split.value}").open("w+b")

    def append(self, events: Events) -> None:
        """Add events.

        Raises:
            ValueError: the objects have another shape than (n, 19, 3) or hold a NaN, an infinity
                or a negative pT; or the process is not (n,), or is known for some events only.
        """
        particles = to_particles(events.objects)
        known = events.process is not None
        if len(particles) and self._has_process not in {None, known}:
            raise ValueError("the process must be known for all events or for none")
        if events.process is not None and events.process.shape != (len(particles),):
            raise ValueError(f"process must be ({len(particles)},), not {events.process.shape}")
        if len(particles):
            self._has_process = known
        split = assign(events.objects)
        for part in Split:
            chosen = split == part
            self._particles[part].write(particles[chosen].tobytes())
            if events.process is not None:
                self._process[part].write(events.process[chosen].astype(np.int8).tobytes())
            self.counts[part.name.lower()] += int(chosen.sum())

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the file unless there was an exception, and remove the scratch files.

        Raises:
            ValueError: there is no event.
        """
        try:
            if error_type is None:
                self._assemble()
        finally:
            for file in (*self._particles, *self._process):
                file.close()
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _assemble(self) -> None:
        total = sum(self.counts.values())
        if not total:
            raise ValueError(f"{self.path}: no events to write")
        temporary = self._scratch / "whole"
        with new_file(temporary) as file:
            particles = file.create_dataset("Particles", (total, *_ROW), "<f4", **OPTIONS)
            _fill(particles, self._particles)
            for name, words in (("Particles_Names", FEATURES), ("Particles_Classes", CLASSES)):
                file.create_dataset(name, data=np.array(words, dtype="S"), **OPTIONS)
            if self._has_process:
                _fill(file.create_dataset("Process", (total,), "i1", **OPTIONS), self._process)
        temporary.chmod(0o644)
        temporary.replace(self.path)


def _fill(dataset: Any, parts: list[BinaryIO]) -> None:
    """Copy scratch files into a data set of HDF5, one after the other."""
    start = 0
    for part in parts:
        part.seek(0)
        for rows in _blocks(part, dataset.dtype, dataset.shape[1:]):
            dataset[start : start + len(rows)] = rows
            start += len(rows)


def _blocks(file: BinaryIO, dtype: Any, row: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    items = int(np.prod(row, dtype=np.int64))
    while block := file.read(_BLOCK * items * dtype.itemsize):
        yield np.frombuffer(block, dtype).reshape(-1, *row)


def write_events(path: Path, events: Events) -> dict[str, int]:
    """Write events that are all in memory; see :class:`EventSpool`.

    Returns:
        The number of events by part: train, test, validation.
    """
    with EventSpool(path) as spool:
        spool.append(events)
    return spool.counts


def read_events(path: Path) -> Events:
    """Map an event file of this platform into memory; nothing is read before it is used.

    The content is not checked: the writer did that, and the hash in the data card tells whether
    it is still the same.

    Returns:
        The events, read-only: objects (n, 19, 3) float32, a view of the file.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; {way_back(path, MADE_BY)}")
    try:
        with h5py.File(path, "r") as file:
            particles = _map(path, file, "Particles", np.dtype("<f4"), _ROW)
            process = _map(path, file, "Process", np.dtype("i1"), ()) if "Process" in file else None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5 (truncated or another format); "
            f"{way_back(path, MADE_BY, damaged=True)}"
        ) from error
    if process is not None and len(process) != len(particles):
        raise DataError(
            f"{path}: 'Process' has {len(process)} entries for {len(particles)} events; "
            f"{way_back(path, MADE_BY, damaged=True)}"
        )
    return Events(objects=particles[..., :3], process=process)


def _map(
    path: Path, file: h5py.File, name: str, dtype: np.dtype[Any], row: tuple[int, ...]
) -> NDArray[Any]:
    dataset = file.get(name)
    mapped = None
    if isinstance(dataset, h5py.Dataset) and dataset.shape[1:] == row and dataset.dtype == dtype:
        mapped = map_dataset(path, dataset)
    if mapped is None:
        raise DataError(
            f"{path}: '{name}' is not in the layout of this platform (contiguous {dtype.name}, "
            f"{('n', *row)}); bring foreign files in with l1distill generate data=public"
        )
    return mapped
