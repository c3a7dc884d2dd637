"""The anomaly data set on disk: a background sample, and one file for each signal."""

from pathlib import Path

from l1distill.data.dataset import Dataset, Items
from l1distill.data.dataset import open_dataset as open_any_dataset
from l1distill.tasks.anomaly.event_files import read_events

BACKGROUND = "background"
PROCESS = "process"
"""Column of the background: (n,) index into ``events.PROCESSES``."""


def open_dataset(folder: Path) -> Dataset:
    """Open a data set; its items are events (19, 3): pT [GeV], eta, phi [rad].

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    return open_any_dataset(folder, read_items, BACKGROUND)


def read_items(path: Path) -> Items:
    """Map a sample's file into memory.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    events = read_events(path)
    columns = {} if events.process is None else {PROCESS: events.process}
    return Items(values=events.objects, columns=columns)
