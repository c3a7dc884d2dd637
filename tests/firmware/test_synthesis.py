import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError, ToolError
from l1distill.core.workspace import folder_sha256
from l1distill.firmware import synthesis
from l1distill.firmware.bundle.content import verify_manifest
from l1distill.firmware.bundle.replay import verify_bundle
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import (
    BUNDLE,
    EMULATOR,
    MANIFEST,
    MODEL_CARD,
    NETWORK,
    OUTPUT_CODES,
    SYNTHESIS_REPORT,
)
from l1distill.firmware.network.network import Network, evaluate
from l1distill.firmware.network.serialization import load
from l1distill.firmware.process import ProgramError, TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.results.report import REQUIRED, SynthesisReport
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.synthesis import synthesize
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.reference import SEED
from tests.firmware.conftest import Student
from tests.firmware.emulators import small_network
from tests.firmware.networks import full_range
from tests.firmware.rtl.test_verilog import differing, files
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
ADVERSARIAL = len(adversarial_events(from_qkeras(build(CASES[NAME])), 200, SEED).x)
CONSTANTS = {"inputs.json": b"{}\n"}

AGAIN = """
import sys; from pathlib import Path
from tests.firmware.students import CASES, build, on_grid
from tests.firmware.test_synthesis import CONSTANTS, NAME, SETTINGS
from l1distill.firmware.synthesis import synthesize
firmware = synthesize(build(CASES[NAME]), on_grid(CASES[NAME]), SETTINGS, constants=CONSTANTS)
firmware.write(Path(sys.argv[1]))
"""


def test_a_student_becomes_verified_firmware_the_same_every_time(
    student: Students, tmp_path: Path
) -> None:
    made = student(NAME)
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    lines: list[str] = []
    firmware = synthesize(made.model, made.x, SETTINGS, constants=CONSTANTS, progress=lines.append)
    (one / "rtl").mkdir(parents=True)
    (one / "rtl/of_an_earlier_synthesis.v").write_text("")
    firmware.write(one)

    report = firmware.report
    metrics = report.to_metrics()
    assert set(REQUIRED) <= set(metrics)
    assert metrics["firmware/mismatches"] == 0
    assert metrics.get("firmware/mismatches_iverilog") == (0 if SIMULATOR == "iverilog" else None)
    assert metrics["firmware/lut"] > 0
    assert metrics["firmware/ff"] <= metrics["firmware/register_bits"]
    assert metrics["firmware/latency_ns"] == metrics["firmware/latency_cycles"] * 5.0
    assert SynthesisReport.load(one / SYNTHESIS_REPORT) == report
    assert ADVERSARIAL > 100
    assert metrics["firmware/verified_events"] == 1500 + ADVERSARIAL
    assert f"{1500 + ADVERSARIAL} events" in report["firmware/mismatches_hls"].note
    if SIMULATOR == "iverilog":
        assert f"{200 + ADVERSARIAL} events" in report["firmware/mismatches_iverilog"].note
    assert any("yosys" in line for line in lines)

    for emulator in (firmware.emulator, Emulator.load(one / EMULATOR)):
        assert np.array_equal(emulator.predict(made.x)[:, 0], made.y)
    for network in (firmware.network, load(one / NETWORK)):
        assert np.array_equal(evaluate(network, made.x)[:, 0], made.y)
    packed = set(verify_manifest(one / BUNDLE))
    assert packed == set(firmware.files) == set(files(one)) - {BUNDLE, MANIFEST}
    assert (one / BUNDLE).read_bytes() == firmware.to_bundle()
    assert os.access(one / "hls/build_lib.sh", os.X_OK)
    assert (one / "constants/inputs.json").read_bytes() == CONSTANTS["inputs.json"]
    assert {"rtl/src/l1distill.v", "rtl/src/l1distill.xdc", "rtl/build_vivado_prj.tcl"} <= packed
    assert {"hls/build_prj.tcl", "hls/firmware/l1distill.cpp", "hls/simulate.cpp"} <= packed
    assert {"rtl/sim/testbench.v", "vectors/input.hex", "vectors/output.txt"} <= packed
    assert {"MODEL_CARD.md", "REPORT.md", "rtl/synth_ooc.tcl", "emulator/Makefile"} <= packed
    replay = verify_bundle(one, TimeLimit(100.0, "limit"))
    assert replay.summary == f"{1500 + ADVERSARIAL} events of 12 inputs and 1 outputs: all equal"
    assert not [name for name, content in files(one).items() if str(tmp_path).encode() in content]
    assert not [name for name in packed if name.endswith((".so", ".o", ".keras", ".log"))]
    codes = np.loadtxt(one / OUTPUT_CODES)
    assert len(codes) == 1500 + ADVERSARIAL
    assert np.array_equal(codes[:1500] * made.network.output_type.step, made.y[:1500])

    # another process, another folder, another order of hashes: the same bytes
    program = [sys.executable, "-c", AGAIN, str(two)]
    environment = {**os.environ, "PYTHONHASHSEED": "5", "CXX": "g++"}
    root = Path(__file__).parents[2]
    subprocess.run(program, cwd=root, env=environment, check=True, capture_output=True)
    assert differing(one, two) == set()
    assert folder_sha256(one) == folder_sha256(two)


def test_a_mismatch_is_a_result(
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
    firmware = synthesize(made.model, made.x, settings)
    metrics = firmware.report.to_metrics()
    assert metrics["firmware/mismatches_hls"] == 0
    assert metrics["firmware/mismatches_rtl"] > 0
    assert metrics["firmware/mismatches_cpp"] == metrics["firmware/mismatches_rtl"]
    assert metrics["firmware/mismatches"] == 2 * metrics["firmware/mismatches_rtl"]
    assert b"does not compute what the model computes" in firmware.files[MODEL_CARD]
    note = firmware.report["firmware/mismatches_rtl"].note
    assert note.endswith("first at layer score (Dense)")
    assert json.loads(firmware.files[SYNTHESIS_REPORT])
    firmware.write(tmp_path)
    verify_manifest(tmp_path / BUNDLE)
    with pytest.raises(DataError, match=r"does not give the vectors' outputs: event \d+, output 0"):
        verify_bundle(tmp_path, TimeLimit(100.0, "limit"))


def _check_copies(firmware: synthesis.Firmware) -> None:
    report, metrics = firmware.report, firmware.report.to_metrics()
    assert metrics["firmware/copies"] == 4
    assert metrics["firmware/lut_copies_estimate"] == 4 * metrics["firmware/lut"]
    assert b"`rtl/top/l1distill_array.v` is 4 copies of it" in firmware.files[MODEL_CARD]
    assert {"rtl/top/l1distill_array.v", "rtl/sim/array_testbench.v"} <= set(firmware.files)
    if SIMULATOR == "iverilog":
        entry = report["firmware/mismatches_copies"]
        # 200 items are simulated: the two groups, those around four lanes, and what is left
        assert (entry.value, entry.tool) == (0, "iverilog")
        assert entry.note.startswith("Verilog of 4 copies, 8 groups of items, against")
        assert "mismatches_copies" in report["firmware/mismatches"].note


def test_a_network_with_several_outputs_and_input_ranges() -> None:
    network = small_network()
    x = full_range(network, 320)
    settings = SETTINGS.model_copy(
        update={"verification_events": 300, "adversarial_events": 0, "copies": 4}
    )
    firmware = synthesize(network, x[:280], settings, groups=[101, 33])  # and 20 random ones
    report = firmware.report
    _check_copies(firmware)
    assert report["firmware/mismatches"].value == 0
    assert "exact arithmetic on 300 events" in report["firmware/mismatches_hls"].note
    codes = np.loadtxt(firmware.files[OUTPUT_CODES].decode().splitlines())
    assert codes.shape == (300, 2)
    assert np.array_equal(codes[:280] * network.output_type.step, evaluate(network, x[:280]))
    assert np.array_equal(firmware.emulator.predict(x), evaluate(network, x))


def test_a_missing_tool_is_an_error_before_any_work(
    student: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = student(NAME)

    def work(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(synthesis, "choose_events", work)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"C\+\+ compiler"):
        synthesize(made.model, made.x, SETTINGS)
    monkeypatch.setenv("CXX", sys.executable)
    with pytest.raises(ToolError, match="make: is not on the PATH"):
        synthesize(made.model, made.x, SETTINGS)
    (tmp_path / "make").symlink_to(sys.executable)
    settings = SETTINGS.model_copy(update={"rtl_simulator": "iverilog"})
    with pytest.raises(ToolError, match="iverilog is not on the PATH"):
        synthesize(made.model, made.x, settings)


def test_a_failing_tool_leaves_nothing_behind(
    student: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = student(NAME)
    settings = SETTINGS.model_copy(update={"hls_time_limit_s": 0.01, "rtl_simulator": "none"})
    with pytest.raises(ProgramError, match=r"raise firmware\.hls_time_limit_s") as error:
        synthesize(made.model, made.x, settings)
    # the limit passed while yosys was running in the background
    assert list(tmp_path.iterdir()) == [error.value.log]
