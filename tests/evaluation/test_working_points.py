import numpy as np
import pytest

from l1distill.evaluation.roc import separation
from l1distill.evaluation.working_points import fpr_grid, smallest, working_points


@pytest.mark.parametrize("levels", [0, 200], ids=["all different", "many are equal"])
def test_a_threshold_accepts_what_the_roc_curve_counts(levels: int) -> None:
    rng = np.random.default_rng(0)
    background, signal = rng.normal(size=5_000), rng.normal(2.0, 1.0, 700)
    if levels:
        background, signal = (np.round(x * levels / 8) for x in (background, signal))
    points = working_points(background)
    counted = separation(background, signal).tpr
    assert list(points) == list(counted) == ["1e-2"]
    point = points["1e-2"]
    assert point.accepts(signal).mean() == pytest.approx(counted["1e-2"].value)
    assert point.accepts(background).mean() <= 1e-2
    lower = background[background < point.threshold].max()
    assert (background >= lower).mean() > 1e-2, "a lower threshold accepts too many"


def test_a_score_that_saturates_accepts_nothing() -> None:
    background = np.minimum(np.random.default_rng(0).normal(size=5_000), 1.0).astype(np.float32)
    point = working_points(background)["1e-2"]
    assert point.threshold == pytest.approx(1.0, abs=1e-6)
    assert not point.accepts(background).any()


def test_the_smallest_that_ten_events_are_left_at() -> None:
    points = working_points(np.arange(20_000.0))
    assert (list(points), smallest(points)) == (["1e-2", "1e-3"], "1e-3")
    assert (points["1e-3"].allowed, points["1e-3"].threshold) == (20, pytest.approx(19_979.0))
    assert smallest(working_points(np.arange(900.0))) is None


def test_curves_begin_where_ten_events_are_left() -> None:
    grid = fpr_grid(2_000)
    assert (grid[0], grid[-1]) == (pytest.approx(0.005), 1.0)
    assert (np.diff(grid) > 0).all()
