from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from l1distill.firmware.devices import Device
from l1distill.firmware.settings import FirmwareSettings
from tests.firmware.students import HARDWARE

CONF = Path(__file__).parents[2] / "conf" / "firmware"
DEVICES = sorted((CONF / "device").glob("*.yaml"))


@pytest.mark.parametrize("path", DEVICES, ids=lambda path: path.stem)
def test_every_device_file_is_a_device(path: Path) -> None:
    device = Device(**yaml.safe_load(path.read_text()))
    assert device.name.lower().replace("-", "_") == path.stem


def test_the_papers_devices_are_there() -> None:
    assert {"vu9p", "vu13p", "v7_690t"} <= {path.stem for path in DEVICES}
    assert Device(**yaml.safe_load((CONF / "device" / "vu9p.yaml").read_text())) == HARDWARE
    assert HARDWARE.clock_period_ns == 5.0


def test_the_default_file_has_every_key_with_its_default() -> None:
    content = yaml.safe_load((CONF / "default.yaml").read_text())
    assert content.pop("defaults") == [{"device": "vu9p"}, "_self_"]
    assert set(content) | {"device"} == set(FirmwareSettings.model_fields)
    assert FirmwareSettings(device=HARDWARE, **content) == FirmwareSettings()


@pytest.mark.parametrize(
    "wrong", [{"luts": 0}, {"family": "stratix"}, {"clock_mhz": -1}, {"lut": 3}, {"part": ""}]
)
def test_a_device_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Device.model_validate({**HARDWARE.model_dump(), **wrong})
