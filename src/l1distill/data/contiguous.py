"""HDF5 files whose data sets are contiguous, so that they are mapped into memory as they stand."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

_PAGE = 4096  # bytes; data sets begin at a page
OPTIONS: dict[str, Any] = {"track_times": False}
"""Of each data set: without time stamps in the file, its checksum identifies its content."""


def new_file(path: Path) -> h5py.File:
    """Open a file for writing; equal content written in equal order gives equal bytes."""
    return h5py.File(
        path, "w", track_order=False, alignment_threshold=_PAGE, alignment_interval=_PAGE
    )


def map_dataset(path: Path, dataset: h5py.Dataset) -> NDArray[Any] | None:
    """Map a data set into memory, read-only; nothing is read before it is used.

    Args:
        path: of its file.
        dataset: of the file, which may be closed afterwards.

    Returns:
        A view of the file, or None if the data set is chunked, compressed or empty.

    Raises:
        OSError: the file is truncated.
    """
    offset = dataset.id.get_offset()
    if offset is None:
        return None
    if path.stat().st_size < offset + dataset.nbytes:
        raise OSError("truncated")
    return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
