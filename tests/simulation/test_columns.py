"""Flat records of many events."""

import numpy as np

from l1distill.simulation.columns import DetectorObjects
from tests.simulation.objects import flow, leptons


def test_events_are_selected_and_numbered_anew() -> None:
    objects = flow((0, 1.0, 0.0, 0.0), (1, 2.0, 0.0, 0.0), (1, 3.0, 0.0, 0.0), (2, 4.0, 0.0, 0.0))
    kept = objects.select_events(np.array([False, True, True]))
    assert kept.event.tolist() == [0, 0, 1]
    assert kept.pt.tolist() == [2.0, 3.0, 4.0]


def test_records_are_merged_by_event_the_first_one_first() -> None:
    first = flow((0, 2.0, 0.0, 0.0), (0, 3.0, 0.0, 0.0), (1, 4.0, 0.0, 0.0))
    both = DetectorObjects.merge(first, flow((0, 9.0, 0.0, 0.0)))
    assert both.event.tolist() == [0, 0, 0, 1]
    assert both.pt.tolist() == [2.0, 3.0, 9.0, 4.0]


def test_a_merge_drops_the_columns_that_only_a_subclass_has() -> None:
    both = DetectorObjects.merge(leptons((1, 11, 30.0, 0.5, 0.6)), flow((0, 9.0, 0.1, 0.2)))
    assert type(both) is DetectorObjects
    assert both.pt.tolist() == [9.0, 30.0]
    assert both.phi.tolist() == [0.2, 0.6]


def test_rows_are_taken_by_mask_or_index_from_all_columns() -> None:
    rows = leptons((0, 11, 30.0, 0.5, 0.6), (1, 13, 40.0, -0.5, -0.6))
    for chosen in (np.array([False, True]), np.array([1])):
        one = rows.take(chosen)
        assert (one.code.tolist(), one.pt.tolist(), one.eta.tolist()) == ([13], [40.0], [-0.5])
