import re
import subprocess
from pathlib import Path

import pytest

from l1distill.firmware.rtl.verilog import RtlReport, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.vivado import SCRIPT, write_ooc_script
from tests.firmware.emulators import small_network
from tests.firmware.rtl.test_verilog import files
from tests.firmware.students import HARDWARE

STUBS = """
proc unknown args { puts [join $args "\\t"] }
source [lindex $argv 0]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)[0]


def write(tmp_path: Path) -> tuple[Path, RtlReport]:
    made = tmp_path / "made here" / "rtl"  # tools meet blanks in paths
    rtl = write_rtl(trace_network(small_network()), HARDWARE, 3.0, made)
    write_ooc_script(HARDWARE, made)
    return made, rtl


def tcl(folder: Path, script: Path) -> list[list[str]]:
    """Runs a script elsewhere, with stand-ins for the commands of Vivado that write themselves."""
    stubs = folder / "stubs.tcl"
    stubs.write_text(STUBS)
    command = ["tclsh", str(stubs), str(script)]
    done = subprocess.run(command, cwd="/", check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.needs_program("tclsh")
def test_vivado_is_given_every_source_and_the_clock(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    said = tcl(tmp_path, moved / SCRIPT)
    commands = [line[0] for line in said]
    read = [Path(line[1]) for line in said if line[0] == "read_verilog"]
    assert read == [*verilog_files(moved), moved / "top/l1distill_top.v"]
    assert moved / "src/l1distill_wrapper.v" not in read
    constraints = next(Path(line[-1]) for line in said if line[0] == "read_xdc")
    synthesis = next(line for line in said if line[0] == "synth_design")
    options = dict(zip(synthesis[1::2], synthesis[2::2], strict=True))
    assert options["-part"] == HARDWARE.part
    assert options["-mode"] == "out_of_context"
    top = read[-1].read_text()
    assert re.search(rf"^module {options['-top']}\b", top, flags=re.MULTILINE)
    assert commands.index("synth_design") < commands.index("report_timing_summary")
    reports = [Path(line[-1]) for line in said if line[0].startswith("report_")]
    assert {path.parent for path in reports} == {moved / "synth_ooc"}
    by_module = next(line for line in said if line[:2] == ["report_utilization", "-hierarchical"])
    assert by_module[-1].endswith("utilization_by_module.rpt")
    assert options["-flatten_hierarchy"] == "rebuilt"  # flattened, there were no modules

    constrained = tcl(tmp_path, constraints)
    clock = next(line for line in constrained if line[0] == "create_clock")
    assert clock[1:3] == ["-period", "5.0"]
    delayed = [line[-1] for line in constrained if line[0].endswith("put_delay")]
    ports = set(re.findall(r"(?:in|out)put wire (?:\[\S+\] )?(\w+)", top)) - {"clk"}
    assert len(delayed) == 2 * len(ports)


@pytest.mark.needs_program("tclsh")
def test_the_uncertainty_in_the_report_is_that_of_the_constraints(tmp_path: Path) -> None:
    folder, rtl = write(tmp_path)
    for constraints in ("src/l1distill.xdc", "top/l1distill_top.xdc"):
        said = tcl(tmp_path, folder / constraints)
        setup = [line for line in said if line[:2] == ["set_clock_uncertainty", "-setup"]]
        assert [float(line[2]) for line in setup] == [rtl.setup_uncertainty_ns]


def test_no_script_names_this_machine(folder: Path, tmp_path: Path) -> None:
    for name, content in files(folder).items():
        assert str(tmp_path).encode() not in content, name
