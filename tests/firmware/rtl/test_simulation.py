from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl import simulation as rtlsim
from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.simulation import find_simulator
from l1distill.firmware.rtl.top import Buses, write_top
from l1distill.firmware.rtl.verilog import TOP
from tests.firmware.reports import rtl_report

PORT = Port("port", (FixedPoint(signed=True, integer=1, fraction=2),))
RTL = rtl_report(PORT)


def test_without_a_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_simulator("none") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_simulator("auto") is None
    with pytest.raises(ToolError, match=r"iverilog is not on the PATH.*rtl_simulator=auto"):
        find_simulator("iverilog")


@pytest.mark.needs_program("iverilog")
@pytest.mark.needs_program("verilator")
def test_few_events_are_not_worth_a_compilation() -> None:
    few, many = find_simulator("auto", 1000), find_simulator("auto", 1001)
    assert few is not None
    assert few.name == "iverilog"
    assert many is not None
    assert many.name == "verilator"


def simulate(folder: Path, body: str) -> np.ndarray:
    (folder / "src" / "static").mkdir(parents=True)
    (folder / "sim").mkdir()
    ports = "input clk, input [3:0] model_inp, output reg [3:0] model_out"
    (folder / "src" / f"{TOP}.v").write_text(
        f"`timescale 1 ns / 1 ps\nmodule {TOP} ({ports});\n{body}\nendmodule\n"
    )
    (folder / "src" / f"{TOP}.xdc").write_text("")
    write_top(RTL.latency_cycles, Buses(PORT, PORT, PORT, PORT), folder)
    rtlsim.write_testbench(RTL, folder)
    simulator = find_simulator("iverilog")
    assert simulator is not None
    values = np.array([[0.25], [-2.0], [1.75]])
    return rtlsim.simulate_rtl(folder, RTL, values, simulator, TimeLimit(60.0, "limit"))


@pytest.mark.needs_program("iverilog")
def test_results_come_from_the_verilog(tmp_path: Path) -> None:
    body = "reg [3:0] x; always @(posedge clk) begin x <= model_inp; model_out <= ~x; end"
    assert simulate(tmp_path, body).tolist() == [[-0.5], [1.75], [-2.0]]


@pytest.mark.needs_program("iverilog")
def test_undefined_bits_are_not_numbers(tmp_path: Path) -> None:
    assert np.isnan(simulate(tmp_path, "reg [3:0] x; always @(posedge clk) model_out <= x;")).all()


@pytest.mark.needs_program("iverilog")
def test_a_simulation_that_stops_early_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="iverilog: 1 results for 3 events"):
        simulate(tmp_path, "initial begin model_out = 0; #9 $finish; end")


@pytest.mark.needs_program("iverilog")
def test_verilog_that_does_not_compile_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="iverilog: ended with status") as error:
        simulate(tmp_path, "nonsense")
    line = str(error.value)
    assert "\n" not in line
    Path(line.split("(log: ")[1].rstrip(")")).unlink()
