"""Input ports in hardware units: the conversion of the firmware against formulas and ap_fixed."""

import subprocess
from pathlib import Path

import hls4ml
import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.firmware.compiler import find_compiler
from l1distill.firmware.functions.port_conversion import PortedNetwork, to_codes, with_integer_ports
from l1distill.firmware.hls.project import simulate_hls, write_hls_project
from l1distill.firmware.network import serialization
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, connect, evaluate
from l1distill.firmware.port_settings import PortSettings
from l1distill.firmware.rtl.verilog import trace_network
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.events import random_events
from tests.firmware.emulators import TIME_LIMIT, library, simulated
from tests.firmware.students import HARDWARE

AP_TYPES = Path(hls4ml.__file__).parent / "templates/vivado/ap_types"
INPUT = FixedPoint(signed=True, integer=5, fraction=6)
PHYSICAL = PortSettings.model_validate(
    {
        "objects": [
            {
                "name": "muon",
                "slots": 2,
                "features": [
                    {"name": "pT", "unit": "GeV", "step": 0.5, "bits": 6, "scale": 4.0},
                    {"name": "eta", "step": 0.010875, "bits": 9, "signed": True},
                    {"name": "phi", "unit": "rad", "step": np.pi / 288, "bits": 10, "period": 576},
                ],
            }
        ]
    }
)
SHIFTED = PortSettings.model_validate(
    {
        "fraction_bits": 5,
        "objects": [
            {
                "name": "jet",
                "slots": 3,
                "features": [
                    {"name": "pT", "bits": 9, "offset": [18, 4.5, 7], "shift": [3, 0, -1]},
                    {"name": "phi", "bits": 8, "offset": 72, "shift": [6, 7, 5]},
                ],
            }
        ],
    }
)


def network(inputs: int) -> Network:
    kernel = np.random.default_rng(8).integers(-7, 8, (inputs, 2)) / 4
    grid = FixedPoint(signed=True, integer=1, fraction=2)
    layer = Dense("sums", kernel=kernel, bias=np.zeros(2), kernel_type=grid, bias_type=grid)
    return connect(inputs, INPUT, [layer, Quantize("out", type=INPUT)])


def ported(settings: PortSettings) -> PortedNetwork:
    ports = settings.integer_ports([1.0] * 6)
    return with_integer_ports(network(6), ports)


def codes(found: PortedNetwork) -> NDArray[np.float64]:
    """Every integer of every port, and random events."""
    ports = found.network.ports
    most = max(2**port.bits for port in ports)
    every = [port.low + np.arange(most) % 2**port.bits for port in ports]
    return np.concatenate([np.stack(every, axis=1), random_events(found.network, 200, 3)])


def test_every_integer_becomes_the_input_of_its_physical_value() -> None:
    found = ported(PHYSICAL)
    x = codes(found)
    pt, eta, phi = x[:, ::3] * 0.5 / 4.0, x[:, 1::3] * 0.010875, x[:, 2::3]
    angle = np.where(phi < 288, phi, phi - 576) * 2 * np.pi / 576
    physical = np.stack([pt, eta, angle], axis=2).reshape(len(x), 6)
    assert np.array_equal(found.converted(x), INPUT.quantize(physical))
    assert np.array_equal(evaluate(found.network, x), evaluate(found.behind, physical))
    assert [port.bits for port in found.network.ports] == [6, 9, 10] * 2


SHIFT_PROGRAM = """
#include "ap_fixed.h"
#include <cstdio>
int main() {{
    const double offsets[] = {{18, 72, 4.5, 72, 7, 72}};
    const int shifts[] = {{3, 6, 0, 7, -1, 5}};
    int code;
    for (int i = 0; std::scanf("%d", &code) == 1; i = (i + 1) % 6) {{
        ap_fixed<18, 13> unscaled = code, offset = offsets[i];
        ap_fixed<18, 13> difference = unscaled - offset;
        ap_fixed<12, 6, AP_RND_CONV, AP_SAT> scaled = difference >> shifts[i];
        std::printf("%.17g\\n", scaled.to_double());
    }}
}}
"""


def test_offsets_and_shifts_are_those_of_ap_fixed(tmp_path: Path) -> None:
    """As AXOL1TL's emulator computes them, in ap_fixed<18,13>, with Xilinx' own types."""
    found = ported(SHIFTED)
    x = codes(found)
    (tmp_path / "shift.cpp").write_text(SHIFT_PROGRAM.format())
    build = [find_compiler(), "-std=c++17", "-O0", "-w", f"-I{AP_TYPES}", "shift.cpp"]
    subprocess.run([*build, "-o", "shift"], cwd=tmp_path, check=True)
    text = " ".join(str(int(code)) for code in x.ravel())
    done = subprocess.run([tmp_path / "shift"], input=text, capture_output=True, text=True)
    expected = np.array(done.stdout.split(), dtype=np.float64).reshape(x.shape)
    assert np.array_equal(found.converted(x), expected)


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize("settings", [PHYSICAL, SHIFTED])
def test_all_back_ends_convert_alike(settings: PortSettings, tmp_path: Path) -> None:
    from l1distill.firmware.emulator.cpp import predict

    found = ported(settings)
    adversarial = adversarial_events(found.network, 150, 1).x
    for port, column in zip(found.network.ports, adversarial.T, strict=True):
        assert port.low <= column.min() <= column.max() <= port.high
    x = np.concatenate([codes(found)[::7], adversarial])
    expected = evaluate(found.network, x)
    assert len(np.unique(expected)) > 50
    emulator = trace_network(found.network)
    assert np.array_equal(emulator.predict(x), expected)
    assert np.array_equal(predict(library(emulator, tmp_path / "cpp"), x), expected)
    assert np.array_equal(simulated(found.network, x, tmp_path / "rtl"), expected)
    if settings is PHYSICAL:
        write_hls_project(found.network, HARDWARE, tmp_path / "hls")
        hls = simulate_hls(tmp_path / "hls", x, found.network, TIME_LIMIT)
        assert np.array_equal(hls, expected)
    serialization.save(found.network, tmp_path / "network.json")
    again = serialization.load(tmp_path / "network.json")
    assert again.ports == found.network.ports
    assert np.array_equal(evaluate(again, x), expected)


def test_inputs_become_the_nearest_integers() -> None:
    ports = PHYSICAL.integer_ports([1.0] * 6)
    x = np.array([[0.13, 0.011, -np.pi / 288, 900.0, -0.02, 0.0]])
    assert to_codes(x, ports).tolist() == [[1, 1, 575, 63, -2, 0]]


def test_ports_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"ports\.objects: 6 ports for the 7 inputs"):
        PHYSICAL.integer_ports([1.0] * 7)
    feature = {"name": "b", "bits": 3, "offset": [1, 2]}
    with pytest.raises(ValueError, match="offset has 2 numbers for 3 slots"):
        PortSettings.model_validate({"objects": [{"name": "a", "slots": 3, "features": [feature]}]})
