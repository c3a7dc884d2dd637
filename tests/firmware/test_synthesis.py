import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import folder_sha256
from l1distill.firmware.bundle.archive import verify_manifest
from l1distill.firmware.bundle.replay import verify_bundle
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results.report import REQUIRED, Figures
from l1distill.firmware.rtl.verilog import Emulator
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.synthesis import SEED, synthesize
from l1distill.firmware.verification.adversarial import adversarial_events
from tests.firmware.conftest import Student
from tests.firmware.rtl.test_verilog import files
from tests.firmware.students import CASES, HARDWARE, build

Students = Callable[[str], Student]
NAME = "3_bits"
SIMULATOR = "iverilog" if shutil.which("iverilog") else "none"
SETTINGS = FirmwareSettings(
    device=HARDWARE,
    verification_events=1500,
    adversarial_events=200,
    rtl_simulator=SIMULATOR,
    rtl_simulation_events=200,
)
DIFFICULT = len(adversarial_events(from_qkeras(build(CASES[NAME])), 200, SEED).x)

AGAIN = """
import sys; from pathlib import Path
from tests.firmware.students import CASES, build, on_grid
from tests.firmware.test_synthesis import NAME, SETTINGS
from l1distill.firmware.synthesis import synthesize
synthesize(build(CASES[NAME]), on_grid(CASES[NAME]), SETTINGS, Path(sys.argv[1]))
"""


def test_a_student_becomes_verified_firmware_the_same_every_time(
    student: Students, tmp_path: Path
) -> None:
    made = student(NAME)
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    one.mkdir()
    two.mkdir(parents=True)
    said: list[str] = []
    figures = synthesize(made.model, made.x, SETTINGS, one, said.append)

    metrics = figures.to_metrics()
    assert set(REQUIRED) <= set(metrics)
    assert metrics["firmware/mismatches"] == 0
    assert metrics.get("firmware/mismatches_iverilog") == (0 if SIMULATOR == "iverilog" else None)
    assert metrics["firmware/lut"] > 0
    assert metrics["firmware/ff"] <= metrics["firmware/register_bits"]
    assert metrics["firmware/latency_ns"] == metrics["firmware/latency_cycles"] * 5.0
    assert Figures.load(one / "synthesis.json") == figures
    assert DIFFICULT > 100
    assert metrics["firmware/verified_events"] == 1500 + DIFFICULT
    assert f"{1500 + DIFFICULT} events" in figures["firmware/mismatches_hls"].note
    if SIMULATOR == "iverilog":
        assert f"{200 + DIFFICULT} events" in figures["firmware/mismatches_iverilog"].note
    assert any("yosys" in line for line in said)

    assert np.array_equal(Emulator.load(one / "emulator.json").predict(made.x)[:, 0], made.y)
    assert np.array_equal(evaluate(load(one / "network.json"), made.x)[:, 0], made.y)
    packed = set(verify_manifest(one / "bundle.tar.gz"))
    assert packed == set(files(one)) - {"bundle.tar.gz"}
    assert {"rtl/src/l1distill.v", "rtl/src/l1distill.xdc", "rtl/build_vivado_prj.tcl"} <= packed
    assert {"hls/build_prj.tcl", "hls/firmware/l1distill.cpp", "hls/simulate.cpp"} <= packed
    assert {"rtl/sim/testbench.v", "vectors/input.hex", "vectors/output.txt"} <= packed
    assert {"MODEL_CARD.md", "REPORT.md", "rtl/synth_ooc.tcl", "emulator/Makefile"} <= packed
    found = verify_bundle(one, TimeLimit(100.0, "limit"))
    assert found.said == f"{1500 + DIFFICULT} events of 12 inputs and 1 outputs: all equal"
    assert not [name for name, content in files(one).items() if str(tmp_path).encode() in content]
    assert not [name for name in packed if name.endswith((".so", ".o", ".keras", ".log"))]
    codes = np.loadtxt(one / "vectors" / "output.txt")
    assert len(codes) == 1500 + DIFFICULT
    assert np.array_equal(codes[:1500] * made.network.output_type.step, made.y[:1500])

    # another process, another folder, another order of hashes: the same bytes
    program = [sys.executable, "-c", AGAIN, str(two)]
    environment = {**os.environ, "PYTHONHASHSEED": "5", "CXX": "g++"}
    root = Path(__file__).parents[2]
    subprocess.run(program, cwd=root, env=environment, check=True, capture_output=True)
    assert files(one) == files(two)
    assert folder_sha256(one) == folder_sha256(two)


def test_a_mismatch_is_a_figure(
    student: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l1distill.firmware.rtl import verilog as rtl
    from tests.firmware.test_parity import with_one_bit_wrong

    made = student("linear")
    settings = SETTINGS.model_copy(update={"rtl_simulator": "none", "adversarial_events": 0})
    trace = rtl.trace_network
    whole = with_one_bit_wrong(made.network).layers

    def wrong(network: Network) -> Emulator:
        return trace(replace(network, layers=whole[: len(network.layers)]))

    monkeypatch.setattr(rtl, "trace_network", wrong)
    figures = synthesize(made.model, made.x, settings, tmp_path)
    metrics = figures.to_metrics()
    assert metrics["firmware/mismatches_hls"] == 0
    assert metrics["firmware/mismatches_rtl"] > 0
    assert metrics["firmware/mismatches_cpp"] == metrics["firmware/mismatches_rtl"]
    assert metrics["firmware/mismatches"] == 2 * metrics["firmware/mismatches_rtl"]
    assert "does not compute what the model computes" in (tmp_path / "MODEL_CARD.md").read_text()
    assert figures["firmware/mismatches_rtl"].note.endswith("first at layer score (Dense)")
    assert json.loads((tmp_path / "synthesis.json").read_text())
    verify_manifest(tmp_path / "bundle.tar.gz")
    with pytest.raises(DataError, match=r"does not give the vectors' outputs: event \d+, output 0"):
        verify_bundle(tmp_path, TimeLimit(100.0, "limit"))


def test_a_network_with_several_outputs_and_input_ranges(tmp_path: Path) -> None:
    from tests.compression.test_ptq import quantized

    _, network, x = quantized("dense", 4)
    x = network.to_port_values(x) * network.input_units
    settings = SETTINGS.model_copy(update={"verification_events": 300, "adversarial_events": 0})
    figures = synthesize(network, x[:280], settings, tmp_path)  # and 20 random ones
    assert figures.to_metrics()["firmware/mismatches"] == 0
    assert "exact arithmetic on 300 events" in figures["firmware/mismatches_hls"].note
    codes = np.loadtxt(tmp_path / "vectors" / "output.txt")
    assert codes.shape == (300, 12)
    assert np.array_equal(codes[:280] * network.output_type.step, evaluate(network, x[:280]))
    loaded = Emulator.load(tmp_path / "emulator.json")
    assert np.array_equal(loaded.predict(x), evaluate(network, x))


def test_sums_that_qkeras_rounds_are_held_against_exact_ones(tmp_path: Path) -> None:
    from tests.firmware.networks import chain, dense, full_range, grid

    model = chain((4,), [grid(16), dense(16, 3), grid(16), dense(16, 1), grid(16)])
    x = full_range(from_qkeras(model))
    settings = SETTINGS.model_copy(update={"verification_events": 300, "adversarial_events": 0})
    figures = synthesize(model, x, settings, tmp_path)
    assert figures.to_metrics()["firmware/mismatches"] == 0
    assert "more than QKeras' float32 holds" in figures["firmware/mismatches_hls"].note
    assert 0 <= figures["firmware/differences_qkeras"].value < 300


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: x[:, :5], r"shape \(2000, 5\), the model takes \(events, 12\)"),
        (lambda x: x + 0.01, r"not on the grid of the input quantizer, fixed<5,4,"),
        (lambda x: x * 100, "not on the grid"),
        (lambda x: np.full_like(x, np.nan), "not on the grid"),
    ],
)
def test_events_that_prove_nothing_are_refused(
    student: Students,
    tmp_path: Path,
    spoil: Callable[[np.ndarray], np.ndarray],
    words: str,
) -> None:
    made = student(NAME)
    with pytest.raises(DataError, match=words):
        synthesize(made.model, spoil(made.x), SETTINGS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_said_before_any_work(
    student: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student(NAME)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"C\+\+ compiler"):
        synthesize(made.model, made.x, SETTINGS, tmp_path)
    monkeypatch.setenv("CXX", sys.executable)
    settings = SETTINGS.model_copy(update={"rtl_simulator": "iverilog"})
    with pytest.raises(DataError, match="iverilog is not on the PATH"):
        synthesize(made.model, made.x, settings, tmp_path)
    with pytest.raises(DataError, match="make: is not on the PATH"):
        synthesize(
            made.model, made.x, SETTINGS.model_copy(update={"rtl_simulator": "none"}), tmp_path
        )
    assert not list(tmp_path.iterdir())


def test_a_failing_tool_leaves_no_report(student: Students, tmp_path: Path) -> None:
    made = student(NAME)
    settings = SETTINGS.model_copy(update={"yosys_time_limit_s": 0.1, "rtl_simulator": "none"})
    with pytest.raises(DataError, match=r"raise firmware\.yosys_time_limit_s") as error:
        synthesize(made.model, made.x, settings, tmp_path)
    assert not (tmp_path / "synthesis.json").exists()
    assert not (tmp_path / "bundle.tar.gz").exists()
    Path(str(error.value).split("(log: ")[1].rstrip(")")).unlink()
