"""Records of arrays as files: a file under its final name is complete."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

Record = TypeVar("Record", bound=NamedTuple)


def save_record(path: Path, record: NamedTuple) -> None:
    """Writes a record of arrays, all or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **record._asdict())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def load_record(path: Path, kind: type[Record]) -> Record:
    """Reads a record that ``save_record`` wrote."""
    with np.load(path) as file:
        return kind._make([file[name] for name in kind._fields])
