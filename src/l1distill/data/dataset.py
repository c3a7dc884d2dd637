"""A data set on disk: its samples, each checked against the card before it is used."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import MADE_BY, Card, FileCard, read_card
from l1distill.data.splits import Split


@dataclass(frozen=True, kw_only=True)
class Items:
    """What a file of a data set holds, in the order train, test, validation.

    Attributes:
        values: (n, ...) one entry for each item (an event, a jet, an image), mapped from the file.
        columns: further arrays (n, ...) of the same items, such as labels, by their name.
    """

    values: NDArray[Any]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)


Reader = Callable[[Path], Items]
"""Maps a file into memory; raises :class:`DataError` if it is missing or has another layout."""
Boundaries = Callable[[Path], NDArray[np.int64]]
"""Reads where the items of each event begin, (events + 1,), of a file whose items are parts of
events, such as particles; raises :class:`DataError` likewise."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The items of one file and how they are split.

    Attributes:
        items: what the file holds.
        counts: how many events train, test and validate, in this order.
        first: (events + 1,) where the items of each event begin; None where an item is an event.
    """

    items: Items
    counts: FileCard
    first: NDArray[np.int64] | None = None

    def rows(self, split: Split) -> slice:
        """Return where the items of a split stand."""
        return items_of(self.events(split), self.first)

    def events(self, split: Split) -> slice:
        """Return where the events of a split stand."""
        ends = np.cumsum([self.counts.train, self.counts.test, self.counts.validation])
        return slice(int(ends[split - 1]) if split else 0, int(ends[split]))

    def part(self, split: Split) -> NDArray[Any]:
        """Return the values of a split, without a copy."""
        part: NDArray[Any] = self.items.values[self.rows(split)]
        return part

    def columns(self, split: Split) -> dict[str, NDArray[Any]]:
        """Return the further arrays of a split, without a copy."""
        return {name: column[self.rows(split)] for name, column in self.items.columns.items()}


def items_of(events: slice, first: NDArray[np.int64] | None) -> slice:
    """Return where the items of events stand.

    Args:
        events: from the first to behind the last.
        first: see :class:`Sample`.
    """
    if first is None:
        return events
    return slice(int(first[events.start]), int(first[events.stop]))


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A folder of samples with its card.

    Attributes:
        folder: where the sample files are.
        card: what is known about them.
        md5: the identity of the content: one hash over the names and hashes of the samples.
        training_sample: the sample that models are trained on; the others are for evaluation only.
        read: maps a sample's file into memory.
        boundaries: reads where the items of events begin; None where an item is an event.
    """

    folder: Path
    card: Card
    md5: str
    training_sample: str
    read: Reader
    boundaries: Boundaries | None = None

    @property
    def names(self) -> list[str]:
        """Names of all samples, the training sample first."""
        return [self.training_sample, *self.signals]

    @property
    def signals(self) -> list[str]:
        """Names of the samples beside the training sample."""
        return [name for name in self.card.files if name != self.training_sample]

    @property
    def training(self) -> Sample:
        """The sample that models are trained on."""
        return self.sample(self.training_sample)

    def sample(self, name: str) -> Sample:
        """Map a sample into memory, after its file was compared with the card.

        Raises:
            DataError: there is no such sample, or its file is missing, damaged, or not the one
                of the card.
        """
        if name not in self.card.files:
            names = ", ".join(self.card.files)
            raise DataError(f"{self.folder}: no sample {name}; there are {names}")
        path, expected = self.path(name), self.card.files[name]
        items = self.read(path)
        number = self.number_of_items(name)
        if file_sha256(path) != expected.sha256 or len(items.values) != number:
            raise DataError(
                f"{path}: not the file that card.json describes (its SHA-256 differs); "
                f"{way_back(path, MADE_BY, damaged=True)}"
            )
        return Sample(items=items, counts=expected, first=self._first(name))

    def path(self, name: str) -> Path:
        """Return the file of a sample."""
        return self.folder / f"{name}.h5"

    def _first(self, name: str) -> NDArray[np.int64] | None:
        """Return where the items of each event begin; None where an item is an event.

        Raises:
            DataError: the file is missing or damaged, or has other events than the card says.
        """
        if self.boundaries is None:
            return None
        path = self.path(name)
        first = self.boundaries(path)
        if len(first) != self.card.files[name].events + 1:
            raise DataError(
                f"{path}: not the file that card.json describes ({len(first) - 1} events); "
                f"{way_back(path, MADE_BY, damaged=True)}"
            )
        return first

    def number_of_items(self, name: str) -> int:
        """Return how many items a sample has.

        Raises:
            DataError: its file is missing, damaged, or not the one of the card.
        """
        first = self._first(name)
        return self.card.files[name].events if first is None else int(first[-1])

    def samples(self) -> dict[str, Sample]:
        """Map every sample, the training sample first.

        Raises:
            DataError: a file is missing, damaged, or not the one of the card.
        """
        return {name: self.sample(name) for name in self.names}

    def evaluation_rows(self, name: str) -> slice:
        """Return which items of a sample models are evaluated on.

        Those of the test split of the training sample, and all items of the others, which no
        model has seen.
        """
        return items_of(self.evaluation_events(name), self._first(name))

    def evaluation_events(self, name: str) -> slice:
        """Return which events of a sample models are evaluated on."""
        counts = self.card.files[name]
        if name != self.training_sample:
            return slice(0, counts.events)
        return slice(counts.train, counts.train + counts.test)


def open_dataset(
    folder: Path, read: Reader, training_sample: str, boundaries: Boundaries | None = None
) -> Dataset:
    """Open a data set without reading its samples yet.

    Args:
        folder: of the data set.
        read: maps a sample's file into memory.
        training_sample: name of the sample that models are trained on.
        boundaries: see :class:`Dataset`.

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such data set; {way_back(folder, 'run l1distill generate')}")
    card = read_card(folder)
    if training_sample not in card.files:
        raise DataError(
            f"{folder}: its card names no {training_sample}; generate the data set again"
        )
    lines = "".join(f"{name} {file.sha256}\n" for name, file in card.files.items())
    return Dataset(
        folder=folder,
        card=card,
        md5=hashlib.md5(lines.encode(), usedforsecurity=False).hexdigest(),
        training_sample=training_sample,
        read=read,
        boundaries=boundaries,
    )
