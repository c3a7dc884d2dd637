"""Read and write files of jets: contiguous HDF5, memory-mapped, in the order of the splits."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError
from l1distill.data.card import MADE_BY
from l1distill.data.contiguous import OPTIONS, map_dataset, new_file
from l1distill.data.splits import Split, assign

EVENT = "event"
"""Column: (n,) int64, the collision of a jet."""
_COLUMNS = {"Label": ("label", "i1"), "B_Hadrons": ("b_hadrons", "i1"), "Event": ("event", "<i8")}


@dataclass(frozen=True, kw_only=True)
class JetTable:
    """Jets of a data set.

    Attributes:
        jets: (n, numbers) float32.
        names: of the numbers.
        columns: ``label``, (n,) int8, 0 for background and 1 for signal; ``b_hadrons`` and
            ``event`` (the collision of a jet, a number), if they are known.
    """

    jets: NDArray[np.float32]
    names: Sequence[str]
    columns: dict[str, NDArray[Any]]


def split_jets(table: JetTable) -> NDArray[np.int8]:
    """Assign each jet to a part of the data set, all jets of an event to the same one.

    The part of an event follows from the numbers of its hardest jet, see :mod:`.data.splits`, or
    where events are not known each jet's from its own.

    Args:
        table: with pT as the first number where events are known.

    Returns:
        (n,) values of ``Split``.
    """
    if EVENT not in table.columns:
        return assign(table.jets)
    event = table.columns[EVENT]
    order = np.lexsort((-table.jets[:, 0], event))
    first = np.concatenate([[True], np.diff(event[order]) != 0])
    split = np.empty(len(event), np.int8)
    split[order] = assign(table.jets[order[first]])[np.cumsum(first) - 1]
    return split


def write_jets(path: Path, table: JetTable) -> dict[str, int]:
    """Write jets as one file, all or nothing; equal jets in equal order give equal bytes.

    Returns:
        The number of jets by part: train, test, validation.
    """
    split = split_jets(table)
    order = np.argsort(split, kind="stable")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        temporary = Path(scratch) / "whole"
        with new_file(temporary) as file:
            file.create_dataset("Jets", data=table.jets[order].astype("<f4"), **OPTIONS)
            file.create_dataset("Jets_Names", data=np.array(table.names, dtype="S"), **OPTIONS)
            for name, (column, kind) in _COLUMNS.items():
                if column in table.columns:
                    values = table.columns[column][order].astype(kind)
                    file.create_dataset(name, data=values, **OPTIONS)
        temporary.chmod(0o644)
        temporary.replace(path)
    return {part.name.lower(): int((split == part).sum()) for part in Split}


def read_jets(path: Path) -> JetTable:
    """Map a file of jets into memory; its content is held by the hash in the data card.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; {way_back(path, MADE_BY)}")
    try:
        with h5py.File(path, "r") as file:
            names = [name.decode() for name in file["Jets_Names"][:]]
            jets = _map(path, file["Jets"])
            columns = {
                column: _map(path, file[name])
                for name, (column, _) in _COLUMNS.items()
                if name in file
            }
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as jets in HDF5 (truncated or another layout); "
            f"{way_back(path, MADE_BY, damaged=True)}"
        ) from error
    return JetTable(jets=jets, names=names, columns=columns)


def _map(path: Path, dataset: Any) -> NDArray[Any]:
    mapped = map_dataset(path, dataset)
    if mapped is None:
        raise ValueError("not contiguous")
    return mapped
