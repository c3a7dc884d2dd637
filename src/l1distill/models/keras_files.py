"""Keras and QKeras networks on disk, as HDF5."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.core.errors import DataError, first_line
from l1distill.models.initializers import drawn_twice
from l1distill.models.known_classes import register_own_layers
from l1distill.models.tracing import trace_without_autograph

if TYPE_CHECKING:
    from tensorflow import keras


def save(model: "keras.Model", path: Path) -> None:
    """Write a network without its optimizer.

    HDF5 and not Keras's newer archive: that one holds time stamps, so equal networks would have
    unequal hashes, and QKeras and hls4ml read HDF5.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.save(path, include_optimizer=False, save_format="h5")


def load(path: Path | str) -> "keras.Model":
    """Read a network that :func:`save` wrote, QKeras layers included.

    Raises:
        DataError: the file is missing, damaged, or holds no network.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: no such network; run the stage that trains it first")
    from qkeras.utils import load_qmodel

    register_own_layers()
    trace_without_autograph()
    try:
        with drawn_twice():
            return load_qmodel(str(path), compile=False)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a Keras network ({first_line(error)}); train it again"
        ) from error
