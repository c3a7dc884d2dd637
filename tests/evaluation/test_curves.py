from pathlib import Path

import numpy as np
import pytest

from l1distill.evaluation.curves import Curve, read_curve, write_curve
from l1distill.evaluation.evaluation import Curves, read_curves, write_curves
from l1distill.evaluation.roc import Roc, separations, to_curve


def assert_equal(one: Curve, other: Curve) -> None:
    """To the last bit."""
    assert (one.x_name, one.y_name) == (other.x_name, other.y_name)
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)


def _curve(seed: int, points: int = 5) -> Curve:
    x, y = np.random.default_rng(seed).random((2, points))
    return Curve(x=x, y=y, x_name="pT [GeV]", y_name=f"resolution {seed}")


@pytest.mark.parametrize("points", [1, 5])
def test_a_curve_reads_as_it_was_written(tmp_path: Path, points: int) -> None:
    write_curve(_curve(1, points), tmp_path / "new/curve.csv")
    assert_equal(read_curve(tmp_path / "new/curve.csv"), _curve(1, points))
    header, *rows = (tmp_path / "new/curve.csv").read_text().splitlines()
    assert header == "pT [GeV],resolution 1"
    assert len(rows) == points


def test_families_read_as_they_were_written(tmp_path: Path) -> None:
    curves = {"roc": {"a_4l": _curve(1), "zprime": _curve(2)}, "bias": {"jets": _curve(3)}}
    write_curves(curves, tmp_path)
    write_curves({"roc": {"a_4l": _curve(4)}}, tmp_path, "kl")  # of another score, further down
    read: Curves = read_curves(tmp_path)
    assert {family: set(by_name) for family, by_name in read.items()} == {
        "roc": {"a_4l", "zprime"},
        "bias": {"jets"},
    }
    for family, by_name in curves.items():
        for name, curve in by_name.items():
            assert_equal(read[family][name], curve)
    assert_equal(read_curve(tmp_path / "roc/kl/a_4l.csv"), _curve(4))


def test_a_thinned_roc_keeps_its_area(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    result = separations(rng.normal(size=5_000), {"a_4l": rng.normal(1.0, 1.0, 2_000)})["a_4l"]
    write_curve(to_curve(result.roc), tmp_path / "roc.csv")
    thinned = read_curve(tmp_path / "roc.csv")
    assert (thinned.x_name, thinned.y_name) == ("fpr", "tpr")
    assert len(thinned.x) == 200
    assert np.trapz(thinned.y, thinned.x) == pytest.approx(result.auc, abs=0.01)
    assert (np.diff(thinned.y) >= 0).all()


def test_a_perfect_roc_can_be_written(tmp_path: Path) -> None:
    roc = Roc(fpr=np.array([0.0, 0.0, 1.0]), tpr=np.array([0.0, 1.0, 1.0]))
    write_curve(to_curve(roc), tmp_path / "roc.csv")
    assert (read_curve(tmp_path / "roc.csv").y == 1.0).all()
