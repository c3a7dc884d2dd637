from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.encoding import InputScaling, InputSettings
from l1distill.tasks.anomaly.standardization import Standardization


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
    constants = Standardization(pt_mean=[0.0] * 19, pt_std=std)
    scaling = InputScaling.fit(constants, InputSettings(pt_unit_min_gev=2.0, pt_unit_max_gev=64.0))
    assert scaling.pt_unit_gev[:5] == [32.0, 4.0, 2.0, 64.0, 2.0]


@pytest.mark.parametrize("content", [None, "", "{}", '{"pt_unit_gev": [1.0]}'])
def test_constants_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "inputs.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"inputs\.json"):
        InputScaling.read(path)
