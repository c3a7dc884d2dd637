from pathlib import Path
from typing import Any, cast

import numpy as np

from l1distill.data.events import ELECTRONS, JETS, MET, MUONS, N_OBJECTS
from l1distill.firmware.settings import FirmwareSettings
from l1distill.models.preprocessing import InputScaling
from l1distill.stages.stage import Context
from l1distill.stages.synthesize import SLOTS, Settings, _subject
from l1distill.tracking import Record
from tests.firmware.students import HARDWARE


def test_the_card_names_each_input_as_the_scaling_makes_it() -> None:
    scaling = InputScaling(pt_unit_gev=[2.0 ** (slot % 5) for slot in range(N_OBJECTS)])
    record = Record(
        stage="student",
        parameters={},
        inputs={},
        dataset="toy",
        dataset_md5="5d",
        files={"student.h5": "abc123"},
        artifacts=[],
    )
    nothing = cast(Any, None)
    context = Context(nothing, Path(), Path(), {"student": record}, {}, "")
    firmware = FirmwareSettings(device=HARDWARE, verification_events=77)
    settings = Settings.model_construct(firmware=firmware)
    subject = _subject(settings, context, scaling)
    for words in ("`abc123`", "data set `toy`, MD5 `5d`", "77 of its test"):
        assert words in subject.summary

    for number, quantity in enumerate(subject.inputs):
        slot, feature = divmod(number, 3)
        event = np.zeros((1, N_OBJECTS, 3))
        event[0, slot, feature] = quantity.scale
        expected = np.zeros((1, 57))
        expected[0, number] = 1.0
        assert np.array_equal(scaling.apply(event), expected)
        assert quantity.name == f"{('pT', 'eta', 'phi')[feature]} of {SLOTS[slot]}"
        assert quantity.unit == ("GeV", "", "rad")[feature]
    assert len(subject.inputs) == 57
    assert SLOTS[MET] == "MET"
    for slots, name in ((ELECTRONS, "electron"), (MUONS, "muon"), (JETS, "jet")):
        number = slots.stop - slots.start
        assert list(SLOTS[slots]) == [f"{name} {n + 1}" for n in range(number)]
