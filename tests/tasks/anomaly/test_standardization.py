"""Constants of the training split, against scikit-learn."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from l1distill.tasks.anomaly import standardization as standardization
from l1distill.tasks.anomaly.standardization import Standardization


def _events(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    objects = rng.exponential(30.0, (n, 19, 3))
    objects[..., 1:] = rng.uniform(-2.0, 2.0, (n, 19, 2))
    objects[rng.random((n, 19)) < 0.6] = 0.0
    objects[:, 8] = 0.0  # a slot that is never filled
    return objects


def test_standardization_agrees_with_scikit_learn() -> None:
    train = _events(500)
    ours = Standardization.fit(train)
    theirs = StandardScaler().fit(train[:, :, 0])
    np.testing.assert_allclose(ours.pt_mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.pt_std, theirs.scale_, rtol=1e-12)


def test_an_empty_slot_does_not_divide_by_zero() -> None:
    assert Standardization.fit(_events(100)).pt_std[8] == 1.0


def test_no_events_is_an_error() -> None:
    with pytest.raises(ValueError, match="no events"):
        Standardization.fit(np.zeros((0, 19, 3)))


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    train = _events(1000)
    whole = Standardization.fit(train)
    monkeypatch.setattr(standardization, "_BLOCK", 17)
    cut = Standardization.fit(train)
    np.testing.assert_allclose(cut.pt_mean, whole.pt_mean, rtol=1e-12)
    np.testing.assert_allclose(cut.pt_std, whole.pt_std, rtol=1e-12)
