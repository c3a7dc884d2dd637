"""The jets data set on disk: one sample that holds both classes, with labels."""

from pathlib import Path

from l1distill.data.dataset import Dataset, Items
from l1distill.data.dataset import open_dataset as open_any_dataset
from l1distill.tasks.jets.jet_files import read_jets

SAMPLE = "jets"
LABEL = "label"
"""Column: (n,) 0 for QCD, 1 for H -> bb."""
B_HADRONS = "b_hadrons"
"""Column: (n,) weakly decaying b hadrons in the jet."""


def open_dataset(folder: Path) -> Dataset:
    """Open a data set; its items are jets (numbers,), see :mod:`.features`.

    Raises:
        DataError: there is no data set, or its card cannot be read.
    """
    return open_any_dataset(folder, read_items, SAMPLE)


def read_items(path: Path) -> Items:
    """Map the sample's file into memory.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, or has another layout.
    """
    table = read_jets(path)
    return Items(values=table.jets, columns=table.columns)
