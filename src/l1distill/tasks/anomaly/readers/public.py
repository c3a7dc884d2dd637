"""Read HDF5 files in the public layout: gzip, float64, a column of object classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.events import FEATURES, N_OBJECTS, to_particles
from l1distill.tasks.anomaly.readers.checks import check_unit
from l1distill.tasks.anomaly.readers.sample import (
    Chunk,
    Sample,
    SourceFile,
    find_files,
    is_remote,
    limited,
)
from l1distill.tasks.anomaly.readers.settings import PublicFiles

_NOTES = (
    "The events come from files in the public format; what their simulation leaves out is not "
    "known here.",
    "The process of a background event is not known.",
)
_CLASS = FEATURES.index("Class")
_CLASS_OF_SLOT = to_particles(np.ones((1, N_OBJECTS, 3)))[0, :, _CLASS]


def plan(files: PublicFiles) -> list[Sample]:
    """Plan the import from the headers of all files.

    Raises:
        DataError: a file is missing or is not in the public layout.
    """
    return [
        Sample(
            name=name,
            files=limited({path: _count(path) for path in paths}, files.limit),
            chunks=partial(read, files),
            recipe=files.model_dump(include={"reader", "pt_unit"}),
            notes=_NOTES,
        )
        for name, paths in find_files(files).items()
    ]


def read(files: PublicFiles, source: SourceFile) -> Iterator[Chunk]:
    """Yield the events of a file, ``files.chunk`` at a time.

    Raises:
        DataError: the file is damaged, or its numbers are not those of events.
    """
    with _particles(source.name) as particles:
        step = _step(particles, files.chunk)
        for start in range(0, source.events, step):
            values = particles[start : min(start + step, source.events)]
            number = np.arange(start, start + len(values))
            _check_classes(source.name, number, values)
            objects = values[..., :_CLASS].astype(np.float64)
            objects[..., 0] *= files.gev
            check_unit(source.name, objects[..., 0].sum(axis=1), files.pt_unit)
            yield Chunk(objects=objects, number=number, read=len(number))


def _count(name: str) -> int:
    with _particles(name) as particles:
        return len(particles)


@contextmanager
def _particles(name: str) -> Iterator[Any]:
    """Open a file and check its layout."""
    if is_remote(name):
        raise DataError(f"{name}: HDF5 files are read from this machine only; download it first")
    try:
        with h5py.File(Path(name), "r") as file:
            _check_layout(name, file)
            yield file["Particles"]
    except (OSError, RuntimeError) as error:  # what h5py raises for damaged files and chunks
        raise DataError(
            f"{name}: cannot be read as HDF5 (damaged, truncated or another format); copy it again"
        ) from error


def _check_layout(name: str, file: h5py.File) -> None:
    advice = "give a file in the public event format"
    particles = file.get("Particles")
    if not isinstance(particles, h5py.Dataset):
        names = ", ".join(sorted(file)) or "nothing"
        raise DataError(f"{name}: no data set 'Particles' (found: {names}); {advice}")
    if particles.ndim != 3 or particles.shape[1:] != (N_OBJECTS, len(FEATURES)):
        raise DataError(
            f"{name}: 'Particles' has shape {particles.shape}, expected "
            f"(n, {N_OBJECTS}, {len(FEATURES)}); {advice}"
        )
    if particles.dtype.kind not in "fiu":
        raise DataError(f"{name}: 'Particles' holds {particles.dtype}, not numbers; {advice}")
    if "Particles_Names" in file:
        columns = tuple(np.char.decode(file["Particles_Names"][:].astype("S"), "utf-8").tolist())
        if columns != FEATURES:
            raise DataError(
                f"{name}: the columns are {', '.join(columns)} by 'Particles_Names', expected "
                f"{', '.join(FEATURES)}; {advice}"
            )


def _step(particles: Any, chunk: int) -> int:
    """Compute how many events to read at once: whole chunks, so that none is decompressed twice.

    Published files have chunks of many events by one column, more of them in a row than fit into
    HDF5's cache. A file whose chunks are larger than ``chunk`` is read slowly rather than whole.
    """
    if particles.chunks is None or particles.chunks[0] > chunk:
        return chunk
    rows: int = particles.chunks[0]
    return chunk // rows * rows


def _check_classes(name: str, number: NDArray[np.int64], values: NDArray[Any]) -> None:
    """Compare the class of each object, (n, 19, 4), with the slot that it is in."""
    wrong = (values[..., 0] > 0) & (values[..., _CLASS] != _CLASS_OF_SLOT)
    if wrong.any():
        event, slot = np.argwhere(wrong)[0]
        raise DataError(
            f"{name}: slot {slot} of event {number[event]} holds class "
            f"{values[event, slot, _CLASS]:g}, expected {_CLASS_OF_SLOT[slot]:g}; order the "
            "slots as one MET, four electrons, four muons, ten jets"
        )
