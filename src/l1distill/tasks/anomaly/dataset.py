"""A data set on disk: its samples, each checked against the card before it is used."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, read_card
from l1distill.data.splits import Split
from l1distill.tasks.anomaly.event_files import read_events

BACKGROUND = "background"


class Sample(NamedTuple):
    """The events of one file.

    Attributes:
        objects: (n, 19, 3) pT [GeV], eta, phi [rad], float32, mapped from the file.
        process: (n,) index into ``events.PROCESSES``, or None where it is not known.
        counts: how many of them train, test and validate, in this order.
    """

    objects: NDArray[np.floating[Any]]
    process: NDArray[np.int8] | None
    counts: FileCard

    def rows(self, split: Split) -> slice:
        """Where the events of a part stand."""
        ends = np.cumsum([self.counts.train, self.counts.test, self.counts.validation])
        return slice(int(ends[split - 1]) if split else 0, int(ends[split]))

    def part(self, split: Split) -> NDArray[np.floating[Any]]:
        """The objects of a part of the data set, no copy."""
        return self.objects[self.rows(split)]


class Dataset(NamedTuple):
    """A folder of samples with its card.

    Attributes:
        folder: where ``background.h5`` and one file a signal are.
        card: what is known about them.
        md5: the identity of the content: one hash over the names and hashes of the samples.
    """

    folder: Path
    card: Card
    md5: str

    @property
    def signals(self) -> list[str]:
        """Names of the signals."""
        return [name for name in self.card.files if name != BACKGROUND]

    def sample(self, name: str) -> Sample:
        """Maps a sample into memory, after its file was held against the card.

        Raises:
            DataError: there is no such sample, or its file is missing, damaged, or not the one
                of the card.
        """
        if name not in self.card.files:
            there = ", ".join(self.card.files)
            raise DataError(f"{self.folder}: no sample {name}; there are {there}")
        path, wanted = self.folder / f"{name}.h5", self.card.files[name]
        events = read_events(path)
        if file_sha256(path) != wanted.sha256 or len(events.objects) != wanted.events:
            raise DataError(
                f"{path}: not the file that card.json describes (its SHA-256 differs); "
                "remove it and run dvc pull, or run generate again"
            )
        return Sample(events.objects, events.process, wanted)

    def objects(self) -> dict[str, NDArray[np.floating[Any]]]:
        """Maps the objects (n, 19, 3) of every sample, the background first.

        Raises:
            DataError: a file is missing, damaged, or not the one of the card.
        """
        return {name: self.sample(name).objects for name in self.card.files}


def open_dataset(folder: Path) -> Dataset:
    """Opens a data set without reading its samples yet.

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such data set; run dvc pull, or l1distill generate")
    card = read_card(folder)
    if BACKGROUND not in card.files:
        raise DataError(f"{folder}: its card names no {BACKGROUND}; generate the data set again")
    lines = "".join(f"{name} {file.sha256}\n" for name, file in card.files.items())
    return Dataset(folder, card, hashlib.md5(lines.encode(), usedforsecurity=False).hexdigest())
