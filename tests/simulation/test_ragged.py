"""Ragged gathers against awkward arrays."""

import awkward as ak
import numpy as np

from l1distill.simulation.ragged import rows_of_entries, rows_of_events


def test_rows_of_entries_are_those_of_awkward() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 4, 50)
    values = rng.random(counts.sum())
    entry = rng.integers(0, 50, 200)
    lists = ak.unflatten(values, counts)[entry]
    row, owner = rows_of_entries(np.concatenate([[0], np.cumsum(counts)]), entry)
    np.testing.assert_array_equal(values[row], ak.to_numpy(ak.flatten(lists)))
    np.testing.assert_array_equal(owner, np.repeat(np.arange(200), ak.to_numpy(ak.num(lists))))


def test_rows_of_events_pair_objects_of_the_same_event_like_a_product() -> None:
    rng = np.random.default_rng(2)
    here, there = (np.sort(rng.integers(0, 30, size)) for size in (70, 90))
    row, owner = rows_of_events(there, here)
    np.testing.assert_array_equal(there[row], here[owner])
    lists = [
        ak.unflatten(np.arange(len(event)), np.bincount(event, minlength=30))
        for event in (here, there)
    ]
    expected = ak.flatten(ak.cartesian(lists))
    np.testing.assert_array_equal(owner, ak.to_numpy(expected["0"]))
    np.testing.assert_array_equal(row, ak.to_numpy(expected["1"]))


def test_nothing_to_gather() -> None:
    row, owner = rows_of_events(np.array([0, 0, 3]), np.array([1, 2, 9]))
    assert len(row) == len(owner) == 0
