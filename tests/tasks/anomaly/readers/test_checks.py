"""What is refused, what is put right, and what is left as it was."""

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MUONS
from l1distill.tasks.anomaly.readers.checks import (
    CLEARED,
    MET_ETA,
    SORTED,
    WRAPPED,
    check_numbers,
    check_unit,
    normalize,
)
from tests.tasks.anomaly.readers.files import random_objects

NUMBER = np.arange(100, 300)


def test_good_events_pass_unchanged() -> None:
    objects = random_objects(200)
    result, repairs = normalize("f.h5", NUMBER, objects)
    np.testing.assert_array_equal(result, objects.astype(np.float32))
    assert result.dtype == np.float32
    assert sum(repairs.values()) == 0


def test_groups_are_sorted_as_a_plain_loop_would() -> None:
    rng = np.random.default_rng(4)
    objects = random_objects(200)
    for group in (ELECTRONS, MUONS, JETS):  # holes and wrong order in most events
        order = rng.permuted(np.tile(np.arange(group.stop - group.start), (200, 1)), axis=1)
        objects[:, group] = np.take_along_axis(objects[:, group], order[..., None], axis=1)
    expected = objects.astype(np.float32)
    unsorted = 0
    for event in expected:
        before = event.copy()
        for group in (ELECTRONS, MUONS, JETS):
            event[group] = sorted(event[group].tolist(), key=lambda each: -each[0])
        unsorted += not np.array_equal(before, event)
    assert 100 < unsorted < 200
    given = objects.copy()
    result, repairs = normalize("f.h5", NUMBER, objects)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(objects, given, err_msg="what was given is not touched")
    assert repairs[SORTED] == unsorted


def test_empty_slots_are_zero_in_all_columns() -> None:
    objects = np.zeros((200, 19, 3))
    objects[3, 12] = -0.0, 1.0, 2.0
    objects[4, 12] = 0.0, -0.0, 0.0
    result, repairs = normalize("f.h5", NUMBER, objects)
    assert result.tobytes() == bytes(result.nbytes), "not even a negative zero is left"
    assert repairs[CLEARED] == 1


def test_met_loses_its_eta() -> None:
    objects = random_objects(200)
    objects[[5, 9], 0] = 40.0, 1.5, 2.0
    result, repairs = normalize("f.h5", NUMBER, objects)
    assert result[5, 0].tolist() == [40.0, 0.0, 2.0]
    assert repairs[MET_ETA] == 2


def test_phi_is_brought_into_one_turn() -> None:
    objects = random_objects(200)
    objects[:, 0, 0] = 50.0
    phi = np.linspace(0, 2 * np.pi, 200)
    objects[:, 0, 2] = phi
    result, repairs = normalize("f.h5", NUMBER, objects)
    assert np.abs(result[..., 2]).max() <= np.float32(np.pi)
    np.testing.assert_allclose(np.cos(result[:, 0, 2]), np.cos(phi), atol=1e-6)
    np.testing.assert_allclose(np.sin(result[:, 0, 2]), np.sin(phi), atol=1e-6)
    assert repairs[WRAPPED] == 100


def test_degrees_are_refused() -> None:
    objects = random_objects(200)
    objects[7, 0] = 50.0, 0.0, -170.0
    with pytest.raises(DataError, match=r"^f\.h5: phi of 170 in event 107; .*radians"):
        normalize("f.h5", NUMBER, objects)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_what_is_no_number_is_refused_with_its_event(bad: float, column: int) -> None:
    objects = random_objects(200)
    objects[[150, 60], 13, column] = bad
    if bad == -np.inf and column == 0:
        objects[3, 4, 0] = -1.0  # NaN and infinity are looked for first
    with pytest.raises(DataError, match=r"^f\.h5: NaN or infinity in event 160; "):
        normalize("f.h5", NUMBER, objects)


def test_negative_pt_is_refused_with_its_event() -> None:
    objects = random_objects(200)
    objects[[77, 31], [2, 18], 0] = -1e-50  # zero in float32
    with pytest.raises(DataError, match=r"^f\.h5: negative pT in event 131; "):
        normalize("f.h5", NUMBER, objects)


def test_objects_in_a_list_are_reported_by_their_event() -> None:
    pt = np.array([5.0, 6.0, -7.0, 8.0])
    with pytest.raises(DataError, match="negative pT in event 12"):
        check_numbers("f.root", np.array([10, 10, 12, 15]), pt)
    check_numbers("f.root", np.array([], dtype=np.int64), np.array([]))


def test_no_events_are_no_problem() -> None:
    result, repairs = normalize("f.h5", NUMBER[:0], np.zeros((0, 19, 3)))
    assert result.shape == (0, 19, 3)
    assert sum(repairs.values()) == 0


@pytest.mark.parametrize(("factor", "unit", "other"), [(1e3, "GeV", "MeV"), (1e-3, "MeV", "GeV")])
def test_another_unit_is_refused(factor: float, unit: str, other: str) -> None:
    pt_sum = random_objects(200)[..., 0].sum(axis=1) * factor
    with pytest.raises(DataError) as refusal:
        check_unit("f.h5", pt_sum, unit)
    assert str(refusal.value).startswith(f"f.h5: pT looks like {other}, not {unit}: ")
    assert str(refusal.value).endswith(f"; set data.files.pt_unit={other}")


@pytest.mark.parametrize("unit", ["GeV", "MeV"])
@pytest.mark.parametrize("pt_sum", [[14.0, 25.0], [5000.0, 9000.0], [0.0], [30.0, 40.0, 9e9]])
def test_soft_heavy_empty_and_freak_events_pass(pt_sum: list[float], unit: str) -> None:
    check_unit("f.h5", np.array(pt_sum), unit)
