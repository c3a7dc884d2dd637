"""Curves as CSV files: what stages exchange and ``dvc plots`` draws."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve with the names of its axes.

    Attributes:
        x: (k,).
        y: (k,).
        x_name: column of ``x`` in the file.
        y_name: column of ``y``.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_name: str
    y_name: str


def write_curve(curve: Curve, path: Path) -> None:
    """Write a curve as CSV, with a header."""
    rows = zip(curve.x.tolist(), curve.y.tolist(), strict=True)
    write_csv(path, (curve.x_name, curve.y_name), rows)


def read_curve(path: Path) -> Curve:
    """Read what :func:`write_curve` wrote.

    Raises:
        OSError: there is no such file.
        ValueError: it is no such file.
    """
    with path.open(encoding="utf-8") as file:
        x_name, y_name = file.readline().strip().split(",")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    return Curve(x=table[:, 0], y=table[:, 1], x_name=x_name, y_name=y_name)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a table as CSV, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
