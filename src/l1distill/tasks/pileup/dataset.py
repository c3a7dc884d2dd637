"""The pileup data set on disk: W + jets to train on, dileptonic top pairs to test."""

from pathlib import Path

from l1distill.data.dataset import Dataset, Items
from l1distill.data.dataset import open_dataset as open_any_dataset
from l1distill.tasks.pileup.event_files import read_numbers

TRAINING = "wjets"
TEST = "ttbar"


def open_dataset(folder: Path) -> Dataset:
    """Open a data set; its items are the numbers of events, see :data:`.events.EVENT_NUMBERS`.

    The particles are streamed by :func:`.event_files.stream_events`, event i of a file being item
    i of its sample.

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    return open_any_dataset(folder, read_items, TRAINING)


def read_items(path: Path) -> Items:
    """Read the numbers of a sample's events.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    return Items(values=read_numbers(path))
