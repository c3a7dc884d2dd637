"""Read tables of jets: choose classes and columns, and refuse what is no number."""

import glob
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import SourceCard
from l1distill.tasks.jets.dataset import LABEL, SAMPLE
from l1distill.tasks.jets.features import Layout
from l1distill.tasks.jets.jet_files import JetTable
from l1distill.tasks.jets.readers.settings import JetTables
from l1distill.tasks.jets.readers.tables import JetRows, missing_column, open_rows

_BLOCK = 65_536  # rows in memory at a time, beside what is kept
_NO_CLASS = "of no class"


@dataclass(kw_only=True)
class Imported:
    """Jets of the user's files.

    Attributes:
        table: features, constituents and labels.
        sources: what was taken of each file.
        counts: jets by class, of those that are used.
        left_out: jets by the reason that they are not used.
    """

    table: JetTable
    sources: list[SourceCard]
    counts: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def layout_of(files: JetTables) -> Layout:
    """Return what the numbers of a jet are."""
    constituents = files.constituents
    return Layout(
        features=tuple(files.features),
        constituent=tuple(constituents.numbers) if constituents else (),
        constituents=constituents.count if constituents else 0,
    )


def find_files(files: JetTables) -> list[Path]:
    """Find the files.

    Raises:
        ConfigError: none are named, or one is named twice.
        DataError: one is missing, or a glob matches nothing.
    """
    if not files.paths:
        raise ConfigError(
            "data.files.paths: give it files, for example data.files.paths=[jets_*.h5]"
        )
    found: list[Path] = []
    for pattern in files.paths:
        path = Path(pattern).expanduser()
        if path.is_dir():
            raise ConfigError(f"data.files.paths={pattern}: a folder; give files, as {path / '*'}")
        # pathlib's glob would match hidden files, for example unfinished copies
        matches = [path] if path.exists() else sorted(map(Path, glob.glob(str(path))))  # noqa: PTH207
        if not matches:
            raise DataError(f"data.files.paths={pattern}: no such file; correct the path")
        for match in matches:
            if match in found:
                raise ConfigError(f"data.files.paths: names {match} twice")
            found.append(match)
    return found


def import_jets(files: JetTables, progress: Callable[[int], None] | None = None) -> Imported:
    """Read all files.

    Args:
        files: what to read, and how.
        progress: called with the number of jets looked at since the last call.

    Raises:
        ConfigError: a file lacks a column.
        DataError: a file is damaged, a number is NaN or infinite, or a class has no jet.
    """
    jets: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int8]] = []
    layout = layout_of(files)
    empty = JetTable(jets=np.zeros((0, len(layout.names)), np.float32), names=(), columns={})
    imported = Imported(table=empty, sources=[])
    budget = files.limit
    for path in find_files(files):
        kept = 0
        with open_rows(path, files) as rows:
            check_columns(path, rows, files)
            total = rows.rows if budget is None else min(rows.rows, budget)
            for start in range(0, total, _BLOCK):
                block = slice(start, min(start + _BLOCK, total))
                numbers, label = _read_block(path, rows, block, files, imported)
                jets.append(numbers)
                labels.append(label)
                kept += len(label)
                if progress is not None:
                    progress(block.stop - block.start)
        budget = None if budget is None else budget - total
        imported.sources.append(
            SourceCard(sample=SAMPLE, file=path.name, sha256=file_sha256(path), events=kept)
        )
    label = np.concatenate([*labels, np.zeros(0, np.int8)])
    for value, key in enumerate(("background", "signal")):
        if not (label == value).any():
            classes = ", ".join(map(str, getattr(files, key)))
            raise DataError(f"data.files.{key}: no jet is of the class {classes}")
    imported.table = JetTable(
        jets=np.concatenate(jets), names=layout.names, columns={LABEL: label.astype(np.int8)}
    )
    return imported


def check_columns(path: Path, rows: JetRows, files: JetTables) -> None:
    """Refuse a file that lacks a column.

    Raises:
        ConfigError: with the nearest column that it has.
    """
    for key, names in (("features", files.features), ("label", files.label)):
        for name in names:
            if name not in rows.columns:
                raise missing_column(f"data.files.{key}", path, name, rows.columns)


def count_jets(files: JetTables) -> int:
    """Count the jets that an import looks at, after the columns of all files were checked.

    Raises:
        ConfigError: a file lacks a column.
        DataError: a file is missing or damaged.
    """
    total = 0
    for path in find_files(files):
        with open_rows(path, files) as rows:
            check_columns(path, rows, files)
            total += rows.rows
    return total if files.limit is None else min(total, files.limit)


def _read_block(
    path: Path, rows: JetRows, block: slice, files: JetTables, imported: Imported
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return numbers and labels of the jets of a block that are of a chosen class."""
    classes = _classes(rows.read(files.label, block), files.label)
    label = np.full(len(classes), -1, np.int8)
    for value, chosen in enumerate((files.background, files.signal)):
        label[np.isin(classes, [str(one) for one in chosen])] = value
    used = label >= 0
    numbers = np.stack(rows.read(files.features, block), axis=1).astype(np.float64)
    if files.constituents is not None:
        inside = rows.constituents(files.constituents, block)
        numbers = np.hstack([numbers, inside.reshape(len(inside), -1)])
    wrong = ~np.isfinite(numbers.astype(np.float32)) & used[:, None]
    if wrong.any():
        row, at = np.argwhere(wrong)[0]
        if files.incomplete == "refuse":
            raise DataError(
                f"{path}: {layout_of(files).names[at]} of jet {block.start + row} is "
                f"{numbers[row, at]:g}; correct the file, or leave such jets out with "
                "data.files.incomplete=drop"
            )
        incomplete = wrong.any(axis=1)
        imported.left_out["with a number that is NaN or infinite"] += int(incomplete.sum())
        used &= ~incomplete
    imported.counts.update(classes[used].tolist())
    others = Counter(classes[label < 0].tolist())
    imported.left_out.update(
        {name if name == _NO_CLASS else f"of the class {name}": n for name, n in others.items()}
    )
    return numbers[used].astype(np.float32), label[used]


def _classes(columns: Sequence[NDArray[Any]], names: Sequence[str]) -> NDArray[np.str_]:
    """Return the class of each jet, as a word: from one column, or from one for each class."""
    if len(columns) > 1:
        flags = np.stack(columns, axis=1) == 1
        found = np.asarray(names)[flags.argmax(axis=1)]
        return np.where(flags.sum(axis=1) == 1, found, _NO_CLASS)
    return np.array(list(_words(columns[0])), dtype=np.str_)


def _words(values: NDArray[Any]) -> Iterator[str]:
    for value in values.tolist():
        if isinstance(value, bytes):
            yield value.decode()
        elif isinstance(value, float) and value.is_integer():
            yield str(int(value))
        else:
            yield str(value)
