"""A data set on disk: its samples, each checked against the card before it is used."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.data.card import Card, file_md5, read_card
from l1distill.data.events import SIGNALS, Events, read_events
from l1distill.errors import InputError


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

    def objects(self) -> dict[str, NDArray[np.floating[Any]]]:
        """Reads the objects (n, 19, 3) of every sample, the background first.

        Raises:
            InputError: a file is missing, damaged, or not the one of the card.
        """
        return {name: self._read(name).objects for name in ("background", *SIGNALS)}

    def _read(self, sample: str) -> Events:
        path = self.folder / f"{sample}.h5"
        events = read_events(path)
        if file_md5(path) != self.card.md5.get(path.name):
            raise InputError(
                f"{path}: not the file that card.json describes (its MD5 differs); "
                "run generate again or pull the data set"
            )
        return events


def open_dataset(folder: Path) -> Dataset:
    """Opens a data set without reading its samples yet.

    Raises:
        InputError: there is no data set, or its card cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data set; run l1distill generate first")
    card = read_card(folder)
    lines = "".join(f"{name} {md5}\n" for name, md5 in sorted(card.md5.items()))
    return Dataset(folder, card, hashlib.md5(lines.encode(), usedforsecurity=False).hexdigest())
