"""The share of inputs that are cut off, counted by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from l1distill.data.saturation import (
    Saturation,
    describe_saturation,
    measure_saturation,
    saturation_metrics,
    write_saturation,
)

FEATURES = np.array([[0.0, 1.0], [5.0, -9.0], [7.5, 0.0], [9.0, 2.0]])
ROWS = measure_saturation(
    "s", ["pT", "eta"], FEATURES, np.array([-8.0, -8.0]), np.array([7.5, 7.5])
)


def test_what_is_there_and_beyond_the_range_counts() -> None:
    assert [
        Saturation(sample="s", feature="pT", present=3, cut=1),
        Saturation(sample="s", feature="eta", present=3, cut=1),
    ] == ROWS
    assert ROWS[0].share == pytest.approx(1 / 3)
    assert Saturation(sample="s", feature="x", present=0, cut=0).share == 0.0


def test_the_maximum_is_of_inputs_that_are_there_often_enough() -> None:
    more = [
        Saturation(sample="t", feature="pT", present=40, cut=10),
        Saturation(sample="t", feature="eta", present=19, cut=19),
        Saturation(sample="t", feature="phi", present=0, cut=0),
    ]
    metrics = saturation_metrics([*ROWS, *more])
    assert metrics == {
        "saturated/s": pytest.approx(2 / 6),
        "saturated/t": pytest.approx(29 / 59),
        "saturated_max": 0.25,
    }
    said = describe_saturation(metrics, "table.csv")
    assert "33% in s, 49% in t; of a single input at most 25% (table.csv)" in said


def test_the_table_has_every_input(tmp_path: Path) -> None:
    write_saturation(ROWS, tmp_path / "saturation.csv")
    with (tmp_path / "saturation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"sample": "s", "input": "pT", "present": "3", "saturated": "1"}
    assert len(rows) == 2
