"""Tables of jets in HDF5 and parquet files, read a block of rows at a time."""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError, DataError
from l1distill.tasks.jets.readers.settings import ConstituentTable, JetTables

PARQUET = frozenset({".parquet", ".pq"})


class JetRows(Protocol):
    """An open table: its columns by name, a row a jet."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of all columns."""

    @property
    def rows(self) -> int:
        """Number of jets."""

    def read(self, names: Sequence[str], rows: slice) -> list[NDArray[Any]]:
        """Return columns (n,) of some rows."""

    def constituents(self, wanted: ConstituentTable, rows: slice) -> NDArray[np.float64]:
        """Return numbers of the first constituents (n, count, numbers), zero where there is none.

        Raises:
            ConfigError: there is no such number.
            DataError: the file has no constituents.
        """


@contextmanager
def open_rows(path: Path, files: JetTables) -> Iterator[JetRows]:
    """Open a file of jets.

    Raises:
        DataError: it is damaged, or has no such table.
    """
    try:
        if path.suffix in PARQUET:
            yield _Parquet(path)
        else:
            import h5py

            with h5py.File(path, "r") as file:
                yield _Hdf5(path, file, files)
    except (OSError, RuntimeError, ValueError) as error:
        kind = "parquet" if path.suffix in PARQUET else "HDF5"
        raise DataError(
            f"{path}: cannot be read as {kind} (damaged, truncated or another format); copy it "
            "again"
        ) from error


def missing_column(key: str, path: Path, name: str, known: Sequence[str]) -> ConfigError:
    """Return the refusal of a column that a file lacks, with the nearest that it has."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigError(f"{key}: {path} has no column {name!r}{hint}")


def _decoded(values: NDArray[Any]) -> list[str]:
    return [one.decode() if isinstance(one, bytes) else str(one) for one in values.tolist()]


class _Hdf5:
    """An HDF5 file, open."""

    def __init__(self, path: Path, file: Any, files: JetTables) -> None:
        import h5py

        self._path, self._file = path, file
        self._table: Any = None
        self._at: dict[str, int] = {}
        if files.table is None:
            there = {name: one for name, one in file.items() if isinstance(one, h5py.Dataset)}
            self.columns = [name for name, one in there.items() if one.ndim == 1]
            lengths = {len(there[name]) for name in self.columns}
            if len(lengths) != 1:
                raise DataError(
                    f"{path}: no columns of one length (data.files.table=null); name the data set "
                    "of features with data.files.table"
                )
            self.rows = lengths.pop()
            return
        self._table = self._dataset(files.table, "data.files.table")
        self.rows = len(self._table)
        if self._table.dtype.names:
            self.columns = list(self._table.dtype.names)
            return
        self.columns = _decoded(self._dataset(files.names, "data.files.names")[:])
        if self._table.ndim != 2 or self._table.shape[1] != len(self.columns):
            raise DataError(
                f"{path}: {files.table} has the shape {self._table.shape}, but {files.names} "
                f"{len(self.columns)} names"
            )
        self._at = {name: at for at, name in enumerate(self.columns)}

    def _dataset(self, name: str, key: str) -> Any:
        if name not in self._file:
            near = difflib.get_close_matches(name, list(self._file), n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{key}: {self._path} has no data set {name!r}{hint}")
        return self._file[name]

    def read(self, names: Sequence[str], rows: slice) -> list[NDArray[Any]]:
        if self._table is None:
            return [self._file[name][rows] for name in names]
        block = self._table[rows]
        return [block[:, self._at[name]] if self._at else block[name] for name in names]

    def constituents(self, wanted: ConstituentTable, rows: slice) -> NDArray[np.float64]:
        table = self._dataset(wanted.table, "data.files.constituents.table")
        known = _decoded(self._dataset(wanted.names, "data.files.constituents.names")[:])
        known = known[: table.shape[2]]  # the public files name a number that is not there
        key = "data.files.constituents.numbers"
        for name in wanted.numbers:
            if name not in known:
                raise missing_column(key, self._path, name, known)
        block = table[rows, : wanted.count][..., [known.index(name) for name in wanted.numbers]]
        lacking = wanted.count - block.shape[1]
        return np.pad(block.astype(np.float64), ((0, 0), (0, lacking), (0, 0)))


class _Parquet:
    """A parquet file."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._path, self._file = path, parquet.ParquetFile(path)
        self.columns = list(self._file.schema_arrow.names)
        self.rows = self._file.metadata.num_rows
        self._read: dict[tuple[str, ...], Any] = {}

    def read(self, names: Sequence[str], rows: slice) -> list[NDArray[Any]]:
        key = tuple(names)
        if key not in self._read:
            self._read[key] = self._file.read(columns=list(dict.fromkeys(names)))
        table = self._read[key].slice(rows.start, rows.stop - rows.start)
        return [table.column(name).to_numpy() for name in names]

    def constituents(self, wanted: ConstituentTable, rows: slice) -> NDArray[np.float64]:
        raise DataError(
            f"{self._path}: constituents are read from HDF5 files alone; set "
            "data.files.constituents=null"
        )
