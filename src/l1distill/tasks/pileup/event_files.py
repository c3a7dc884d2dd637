"""Read and write files of events: compressed HDF5, particles one event behind the other.

Numbers of particles are float16, whose relative rounding of 0.05% is below any resolution of the
detector; events are read in batches, so that no more than a batch is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError
from l1distill.core.workspace import replaced_file
from l1distill.data.card import MADE_BY
from l1distill.simulation.columns import DetectorObjects
from l1distill.tasks.pileup.events import (
    EVENT_NUMBERS,
    Events,
    Generated,
    RecordedCandidates,
    WithoutPileup,
)

_TABLES: Mapping[str, type[DetectorObjects]] = {
    "particles": RecordedCandidates,
    "without_pileup": WithoutPileup,
    "generated": Generated,
}
_INTEGERS = {"charge": np.int8, "id": np.uint8}
_CHUNK = 8192
_OPTIONS: dict[str, Any] = {
    "track_times": False,
    "compression": "gzip",
    "compression_opts": 4,
    "shuffle": True,
}
BATCH = 16
"""Events that are read at once."""


def _columns(table: type[DetectorObjects]) -> list[str]:
    return [field.name for field in fields(table) if field.name != "event"]


def _type_of(column: str) -> Any:
    return _INTEGERS.get(column, np.float16)


def pack(events: Events) -> dict[str, NDArray[Any]]:
    """Return events as arrays in the precision of the files, by ``table/column``."""
    arrays: dict[str, NDArray[Any]] = {"numbers": events.numbers.astype(np.float32)}
    for name, table in _TABLES.items():
        objects = getattr(events, name)
        counts = np.bincount(objects.event, minlength=len(events))
        arrays[f"{name}/first"] = np.concatenate([[0], np.cumsum(counts)])
        for column in _columns(table):
            arrays[f"{name}/{column}"] = getattr(objects, column).astype(_type_of(column))
    return arrays


def unpack(arrays: Mapping[str, NDArray[Any]]) -> Events:
    """Return the events of arrays that :func:`pack` made; numbers in float64."""
    tables: dict[str, Any] = {}
    for name, table in _TABLES.items():
        counts = np.diff(arrays[f"{name}/first"])
        columns: dict[str, NDArray[Any]] = {"event": np.repeat(np.arange(len(counts)), counts)}
        for column in _columns(table):
            wide = np.int64 if column in _INTEGERS else np.float64
            columns[column] = arrays[f"{name}/{column}"].astype(wide)
        tables[name] = table(**columns)
    before = int(arrays["particles/first"][0])
    return Events(numbers=np.asarray(arrays["numbers"]), before=before, **tables)


def write_events(path: Path, batches: Iterable[Events]) -> int:
    """Write batches of events as one file, all or nothing.

    Equal batches in equal order give equal bytes.

    Args:
        path: of the file.
        batches: of events; taken one at a time.

    Returns:
        The number of events.
    """
    with replaced_file(path) as temporary, h5py.File(temporary, "w", track_order=False) as file:
        _create(file, "numbers", np.float32, (len(EVENT_NUMBERS),))
        file["numbers"].attrs["names"] = np.array(EVENT_NUMBERS, dtype="S")
        for name, table in _TABLES.items():
            _create(file, f"{name}/first", np.int64)
            _append(file[f"{name}/first"], np.zeros(1, np.int64))
            for column in _columns(table):
                _create(file, f"{name}/{column}", _type_of(column))
        for events in batches:
            for key, array in pack(events).items():
                dataset = file[key]
                if key.endswith("/first"):
                    _append(dataset, int(dataset[-1]) + array[1:])
                else:
                    _append(dataset, array)
        return len(file["numbers"])


def _create(file: h5py.File, name: str, kind: Any, shape: tuple[int, ...] = ()) -> None:
    file.create_dataset(
        name, (0, *shape), kind, maxshape=(None, *shape), chunks=(_CHUNK, *shape), **_OPTIONS
    )


def _append(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    before = len(dataset)
    dataset.resize(before + len(values), axis=0)
    dataset[before:] = values


def first_particles(path: Path) -> NDArray[np.int64]:
    """Read where the particles of each event begin, (events + 1,).

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    with _opened(path) as file:
        first: NDArray[np.int64] = file["particles/first"][:]
        ends = [len(file[f"{name}/first"]) for name in _TABLES]
        particles = len(file[f"particles/{_columns(RecordedCandidates)[0]}"])
        if (
            file["numbers"].shape != (len(first) - 1, len(EVENT_NUMBERS))
            or ends != [len(first)] * len(ends)
            or first[0] != 0
            or first[-1] != particles
        ):
            raise KeyError("particles/first")
        return first


def stream_events(
    path: Path, start: int = 0, stop: int | None = None, batch: int = BATCH
) -> Iterator[Events]:
    """Read events in batches.

    Args:
        path: of the file.
        start: first event.
        stop: behind the last event; None for all.
        batch: events to yield at once.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    with _opened(path) as file:
        total = len(file["numbers"])
        stop = total if stop is None else min(stop, total)
        for low in range(start, stop, batch):
            yield unpack(_read(file, low, min(low + batch, stop)))


def _read(file: h5py.File, low: int, high: int) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"numbers": file["numbers"][low:high]}
    for name, table in _TABLES.items():
        first = file[f"{name}/first"][low : high + 1]
        arrays[f"{name}/first"] = first
        for column in _columns(table):
            arrays[f"{name}/{column}"] = file[f"{name}/{column}"][first[0] : first[-1]]
    return arrays


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; what goes wrong with its content is a :class:`DataError`."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; {way_back(path, MADE_BY)}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as events in HDF5 (truncated or another layout); "
            f"{way_back(path, MADE_BY, damaged=True)}"
        ) from error
