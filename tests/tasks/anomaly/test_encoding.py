import numpy as np
import pytest
from pydantic import ValidationError

from l1distill.data.encoding import InputEncoding
from l1distill.tasks.anomaly.encoding import SLOTS, InputSettings, fit_encoding
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS
from l1distill.tasks.anomaly.standardization import Standardization


def encoding_of(pt_std: list[float]) -> InputEncoding:
    """The encoding of a training split whose pT spreads so far, slot by slot."""
    return fit_encoding(Standardization(pt_mean=[0.0] * 19, pt_std=pt_std), InputSettings())


def test_inputs_are_scaled_slot_by_slot() -> None:
    event = np.zeros((1, 19, 3))
    event[0, 0] = (128.0, 0.0, -1.5)
    event[0, 18] = (32.0, 2.5, 3.0)
    inputs = encoding_of([64.0] * 18 + [16.0]).apply(event)
    assert inputs.shape == (1, 57)
    assert inputs.dtype == np.float32
    assert inputs[0, :3].tolist() == [2.0, 0.0, -1.5]
    assert inputs[0, -3:].tolist() == [2.0, 2.5, 3.0]
    assert event[0, 0, 0] == 128.0, "the caller's events are left alone"


@pytest.mark.parametrize("shape", [(57,), (4, 57), (4, 18, 3), (4, 19, 4)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 19, 3\)"):
        encoding_of([64.0] * 19).apply(np.zeros(shape))


def test_units_are_powers_of_two_near_the_deviation() -> None:
    std = [24.6, 5.0, 0.3, 700.0] + [1.0] * 15
    constants = Standardization(pt_mean=[0.0] * 19, pt_std=std)
    encoding = fit_encoding(constants, InputSettings(pt_unit_min_gev=2.0, pt_unit_max_gev=64.0))
    scales = [feature.scale for feature in encoding.features]
    assert scales[0:15:3] == [32.0, 4.0, 2.0, 64.0, 2.0]
    assert set(scales[1::3]) == set(scales[2::3]) == {1.0}, "eta and phi are as they are"


def test_range_and_unit_are_two_choices() -> None:
    """A range is the smallest that holds what was asked for, in powers of two of the unit."""
    std = [24.6, 5.0, 0.3, 700.0] + [1.0] * 15
    constants = Standardization(pt_mean=[0.0] * 19, pt_std=std)
    encoding = fit_encoding(constants, InputSettings(pt_range_gev=300.0, angle_range=4.0))
    momenta, etas = encoding.features[0:12:3], encoding.features[1:12:3]
    assert [one.range for one in momenta] == [512.0] * 4
    assert [one.signed for one in (*momenta, *etas)] == [False] * 4 + [True] * 4
    assert encoding.exponents(3)[:12] == (4, 2, 2, 7, 2, 2, 8, 2, 2, 3, 2, 2)
    as_before = InputSettings(pt_range_gev=None, angle_range=None)
    assert fit_encoding(constants, as_before).exponents(3) == ()
    assert all(one.signed for one in fit_encoding(constants, as_before).features)


def test_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="pt_unit_min_gev must not be above"):
        InputSettings(pt_unit_min_gev=8.0, pt_unit_max_gev=4.0)


def test_each_number_of_an_event_has_its_name_and_unit() -> None:
    """A probe finds which number a feature reads; the name is what stands there in an event."""
    encoding = encoding_of([2.0 ** (1 + slot % 5) for slot in range(19)])
    for number, feature in enumerate(encoding.features):
        slot, quantity = divmod(number, 3)
        event = np.zeros((1, 19, 3))
        event[0, slot, quantity] = feature.scale
        expected = np.zeros((1, 57))
        expected[0, number] = 1.0
        np.testing.assert_array_equal(encoding.apply(event), expected)
        assert feature.name == f"{('pT', 'eta', 'phi')[quantity]} of {SLOTS[slot]}"
        assert feature.unit == ("GeV", "", "rad")[quantity]
    assert len(encoding.features) == 57
    assert SLOTS[MET] == "MET"
    for slots, name in ((ELECTRONS, "electron"), (MUONS, "muon"), (JETS, "jet")):
        count = slots.stop - slots.start
        assert list(SLOTS[slots]) == [f"{name} {n + 1}" for n in range(count)]
