"""Dataclasses of arrays as NumPy files: a file under its final name is complete."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from l1distill.core.workspace import write_arrays

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


def save_record(path: Path, record: "DataclassInstance") -> None:
    """Write a dataclass of arrays as an ``.npz`` file, all or nothing."""
    write_arrays(path, {field.name: getattr(record, field.name) for field in fields(record)})


def load_record(path: Path, record_class: type[Record]) -> Record:
    """Read a dataclass of arrays that :func:`save_record` wrote."""
    with np.load(path) as file:
        return record_class(**{field.name: file[field.name] for field in fields(record_class)})
