"""Simulates the written Verilog with Verilator or Icarus Verilog, where one is installed."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ToolError
from l1distill.firmware.process import Job, TimeLimit
from l1distill.firmware.rtl import vectors
from l1distill.firmware.rtl.verilog import TOP, RtlReport, verilog_files

Name = Literal["verilator", "iverilog"]
TESTBENCH = "testbench.v"

_TESTBENCH = """\
`timescale 1 ns / 1 ps
// Feeds one event a clock and writes what stands at the output LATENCY edges later.
module testbench;
    parameter EVENTS = 1;
    localparam LATENCY = {latency};
    reg clk = 0;
    reg [{inputs}:0] events [0:EVENTS-1];
    reg [{inputs}:0] model_inp = 0;
    wire [{outputs}:0] model_out;
    integer edge_, file;

    {top} dut (.clk(clk), .model_inp(model_inp), .model_out(model_out));

    always #1 clk = ~clk;

    initial begin
        $readmemh("input.hex", events);
        file = $fopen("output.hex", "w");
        for (edge_ = 0; edge_ <= EVENTS + LATENCY; edge_ = edge_ + 1) begin
            @(negedge clk);
            if (edge_ > LATENCY) $fdisplay(file, "%h", model_out);
            if (edge_ < EVENTS) model_inp = events[edge_];
        end
        $fclose(file);
        $finish;
    end
endmodule
"""


class Simulator(NamedTuple):
    """An RTL simulator on this machine."""

    name: Name
    program: str
    version: str


def find_simulator(choice: Literal["auto", "verilator", "iverilog", "none"]) -> Simulator | None:
    """Returns the simulator to use, ``None`` for ``none`` or where ``auto`` finds none.

    Raises:
        ToolError: one was asked for by name and is not on the PATH.
    """
    names: tuple[Name, ...] = ("verilator", "iverilog")
    for name in names:
        if choice in ("auto", name) and (program := shutil.which(name)):
            option = "--version" if name == "verilator" else "-V"
            text = subprocess.run([program, option], capture_output=True, text=True).stdout
            found = re.search(r"\d+\.\d+", text)
            return Simulator(name, program, found.group(0) if found else "unknown")
    if choice in names:
        raise ToolError(
            f"{choice} is not on the PATH; install it or set firmware.rtl_simulator=auto"
        )
    return None


def write_testbench(figures: RtlReport, folder: Path) -> None:
    """Writes the test bench beside the Verilog, into ``sim/``."""
    text = _TESTBENCH.format(
        top=TOP,
        latency=figures.latency_cycles,
        inputs=figures.input_port.bits - 1,
        outputs=figures.output_port.bits - 1,
    )
    (folder / "sim" / TESTBENCH).write_text(text, encoding="utf-8")


def simulate_rtl(
    folder: Path,
    figures: RtlReport,
    x: NDArray[np.float64],
    simulator: Simulator,
    bounds: TimeLimit,
) -> NDArray[np.float64]:
    """Runs events through the written Verilog, one each clock cycle.

    Latency and initiation interval are part of the test: a result that comes a cycle early or
    late belongs to another event.

    Args:
        folder: what :func:`l1distill.firmware.rtl.verilog.write_rtl` wrote, with the test bench.
        figures: latency and ports of the design.
        x: (n, inputs) numbers on the input type's grid.
        simulator: which one.
        bounds: limit for build and run each.

    Returns:
        (n, outputs) numbers; NaN where the simulator shows undefined bits.

    Raises:
        ToolError: the simulator failed, took too long or left no complete output.
    """
    sources = [
        *map(str, verilog_files(folder.resolve())),
        str(folder.resolve() / "sim" / TESTBENCH),
    ]
    with tempfile.TemporaryDirectory(prefix="l1distill-rtl-") as name:
        work = Path(name)
        words = vectors.pack(figures.input_port, np.asarray(x, dtype=np.float64))
        (work / "input.hex").write_text("\n".join(words) + "\n")
        for command in _COMMANDS[simulator.name](simulator.program, sources, len(words)):
            with Job(simulator.name, command, work, bounds) as job:
                job.wait()
        output = work / "output.hex"
        found = output.read_text().split() if output.is_file() else []
    if len(found) != len(words):
        raise ToolError(f"{simulator.name}: {len(found)} results for {len(words)} events")
    return vectors.unpack(figures.output_port, found)


def _verilator(program: str, sources: list[str], events: int) -> list[list[str]]:
    # alkaid's Verilog switches off warnings by names that Verilator before 5.008 does not know
    known = ["-Wfuture-WIDTHTRUNC", "-Wfuture-WIDTHEXPAND"]
    flags = ["--binary", "-Wno-fatal", "-Wno-lint", *known, f"-GEVENTS={events}"]
    return [
        [program, *flags, "--top-module", "testbench", "-Mdir", "obj", *sources],
        ["obj/Vtestbench"],
    ]


def _iverilog(program: str, sources: list[str], events: int) -> list[list[str]]:
    flags = ["-g2012", "-s", "testbench", f"-Ptestbench.EVENTS={events}"]
    vvp = shutil.which("vvp") or str(Path(program).with_name("vvp"))
    return [[program, *flags, "-o", "design.vvp", *sources], [vvp, "-n", "design.vvp"]]


_COMMANDS: dict[Name, Callable[[str, list[str], int], list[list[str]]]] = {
    "verilator": _verilator,
    "iverilog": _iverilog,
}
