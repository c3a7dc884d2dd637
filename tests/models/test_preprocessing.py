from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from l1distill.errors import InputError
from l1distill.models.preprocessing import InputScaling, InputSettings, Standardisation


def _events(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    objects = rng.exponential(30.0, (n, 19, 3))
    objects[..., 1:] = rng.uniform(-2.0, 2.0, (n, 19, 2))
    objects[rng.random((n, 19)) < 0.6] = 0.0
    objects[:, 8] = 0.0  # a slot that is never filled
    return objects


def test_standardisation_agrees_with_scikit_learn() -> None:
    train = _events(500)
    ours = Standardisation.fit(train)
    theirs = StandardScaler().fit(train[:, :, 0])
    target = ours.target(train)
    expected = theirs.transform(train[:, :, 0]) * (train[:, :, 0] > 0)
    np.testing.assert_allclose(target[..., 0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(target[..., 1:3], train[..., 1:], rtol=1e-6)
    np.testing.assert_array_equal(target[..., 3], train[:, :, 0] > 0)


def test_an_empty_slot_does_not_divide_by_zero() -> None:
    constants = Standardisation.fit(_events(100))
    assert constants.pt_std[8] == 1.0
    event = np.zeros((1, 19, 3))
    event[0, 8, 0] = 25.0
    assert constants.target(event)[0, 8, 0] == 25.0


def test_no_events_is_an_error() -> None:
    with pytest.raises(ValueError, match="no events"):
        Standardisation.fit(np.zeros((0, 19, 3)))


def test_inputs_are_scaled_slot_by_slot() -> None:
    event = np.zeros((1, 19, 3))
    event[0, 0] = (128.0, 0.0, -1.5)
    event[0, 18] = (32.0, 2.5, 3.0)
    inputs = InputScaling(pt_unit_gev=[64.0] * 18 + [16.0]).apply(event)
    assert inputs.shape == (1, 57)
    assert inputs.dtype == np.float32
    assert inputs[0, :3].tolist() == [2.0, 0.0, -1.5]
    assert inputs[0, -3:].tolist() == [2.0, 2.5, 3.0]
    assert event[0, 0, 0] == 128.0, "the caller's events are left alone"


@pytest.mark.parametrize("shape", [(57,), (4, 57), (4, 18, 3), (4, 19, 4)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 19, 3\)"):
        InputScaling(pt_unit_gev=[64.0] * 19).apply(np.zeros(shape))


def test_units_are_powers_of_two_near_the_deviation() -> None:
    std = [24.6, 5.0, 0.3, 700.0] + [1.0] * 15
    constants = Standardisation(pt_mean=[0.0] * 19, pt_std=std)
    scaling = InputScaling.fit(constants, InputSettings(pt_unit_min_gev=2.0, pt_unit_max_gev=64.0))
    assert scaling.pt_unit_gev[:5] == [32.0, 4.0, 2.0, 64.0, 2.0]


@pytest.mark.parametrize("content", [None, "", "{}", '{"pt_unit_gev": [1.0]}'])
def test_constants_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "inputs.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"inputs\.json"):
        InputScaling.read(path)
