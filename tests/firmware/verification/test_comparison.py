import numpy as np
import pytest

from l1distill.firmware.verification.comparison import Comparison, compare


def test_equal_is_equal() -> None:
    assert compare([1.0, -0.5], [1.0, -0.5]) == Comparison(2, 0, 0.0, None)


def test_the_smallest_difference_counts() -> None:
    other = np.nextafter(2.0, 3.0)
    assert compare([1.0, 2.0, 3.0], [1.0, other, 3.0]) == Comparison(3, 1, other - 2.0, 1)


def test_an_event_differs_if_one_of_its_numbers_does() -> None:
    other = [[1.0, 2.0], [3.0, 4.5], [0.0, 7.0]]
    assert compare([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], other) == Comparison(3, 2, 5.0, 1)


def test_nan_equals_nothing() -> None:
    found = compare([np.nan, 1.0], [np.nan, 1.0])
    assert (found.mismatches, found.first_index) == (1, 0)
    assert np.isnan(found.max_abs_difference)


@pytest.mark.parametrize(
    ("left", "right"), [([1.0], [1.0, 2.0]), ([[[1.0]]], [[[1.0]]]), ([[1.0]], [1.0]), ([], [])]
)
def test_shapes_that_prove_nothing_are_refused(left: list[float], right: list[float]) -> None:
    with pytest.raises(ValueError, match=r"shapes|no events"):
        compare(left, right)
