"""Simulation of the written Verilog with Verilator or Icarus Verilog, where one is installed."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ToolError
from l1distill.firmware.process import Job, TimeLimit
from l1distill.firmware.rtl import vectors
from l1distill.firmware.rtl.top import TOP, top_files
from l1distill.firmware.rtl.verilog import RtlReport, verilog_files

Name = Literal["verilator", "iverilog"]
TESTBENCH = "sim/testbench.v"

_TESTBENCH = """\
`timescale 1 ns / 1 ps
// Feeds events with gaps between them and writes the results that come with out_valid.
//
// out_valid must follow in_valid by LATENCY edges, and reset must drop what is under way. From the
// first edge at which that is not so, undefined words are written.
module testbench;
    parameter EVENTS = 1;
    localparam LATENCY = {latency};
    reg clk = 0, rst = 1, in_valid = 1;
    reg [{inputs}:0] events [0:EVENTS-1];
    reg [{inputs}:0] model_inp = 0;
    wire out_valid;
    wire [{outputs}:0] model_out;
    reg [LATENCY:0] expected = 0;  // in_valid of the last edges
    reg [15:0] random = 16'hace1;
    integer sent, taken, file;

    {top} dut (
        .clk(clk), .rst(rst), .in_valid(in_valid), .model_inp(model_inp),
        .out_valid(out_valid), .model_out(model_out)
    );

    always #1 clk = ~clk;

    initial begin
        $readmemh("input.hex", events);
        file = $fopen("output.hex", "w");
        sent = 0;
        taken = 0;
        repeat (2) @(negedge clk);
        rst = 0;
        while (taken < EVENTS) begin
            in_valid = sent < EVENTS && random[1:0] != 0;
            model_inp = in_valid ? events[sent] : ~model_inp;
            if (in_valid) sent = sent + 1;
            random = {{random[14:0], random[15] ^ random[13] ^ random[12] ^ random[10]}};
            @(negedge clk);
            expected = {{expected[LATENCY-1:0], in_valid}};
            if (out_valid !== expected[LATENCY]) begin
                while (taken < EVENTS) begin
                    $fdisplay(file, "x");
                    taken = taken + 1;
                end
            end else if (out_valid) begin
                $fdisplay(file, "%h", model_out);
                taken = taken + 1;
            end
        end
        $fclose(file);
        $finish;
    end
endmodule
"""


@dataclass(frozen=True)
class Simulator:
    """An RTL simulator that is installed on this machine."""

    name: Name
    program: str
    version: str


FEW_EVENTS = 1000
"""Up to here Icarus Verilog, which compiles nothing, is done before Verilator's build is: it takes
about 0.5 us an event and LUT, the build 7 CPU s and more."""


def find_simulator(
    choice: Literal["auto", "verilator", "iverilog", "none"], events: int = FEW_EVENTS
) -> Simulator | None:
    """Find the simulator to use; ``None`` for ``none``, or where ``auto`` finds none.

    Args:
        choice: a simulator, or ``auto`` for the one that is sooner done with
        events: this number of events.

    Raises:
        ToolError: one was asked for by name and is not on the PATH.
    """
    names: tuple[Name, ...] = ("iverilog", "verilator")
    for name in names if events <= FEW_EVENTS else reversed(names):
        if choice in ("auto", name) and (program := shutil.which(name)):
            option = "--version" if name == "verilator" else "-V"
            text = subprocess.run([program, option], capture_output=True, text=True).stdout
            number = re.search(r"\d+\.\d+", text)
            version = number.group(0) if number else "unknown"
            return Simulator(name=name, program=program, version=version)
    if choice in names:
        raise ToolError(
            f"{choice} is not on the PATH; install it or set firmware.rtl_simulator=auto"
        )
    return None


def write_testbench(rtl: RtlReport, folder: Path) -> None:
    """Write the test bench into the folder that ``write_rtl`` wrote."""
    text = _TESTBENCH.format(
        top=TOP,
        latency=rtl.latency_cycles,
        inputs=rtl.top_input.bits - 1,
        outputs=rtl.top_output.bits - 1,
    )
    (folder / TESTBENCH).write_text(text, encoding="utf-8")


def simulate_rtl(
    folder: Path,
    rtl: RtlReport,
    x: NDArray[np.float64],
    simulator: Simulator,
    time_limit: TimeLimit,
) -> NDArray[np.float64]:
    """Simulate events in the written Verilog, through its top module, with gaps between events.

    Latency and valid signals are part of the test: a result that comes a cycle early or late
    belongs to another event, or to none.

    Args:
        folder: that :func:`l1distill.firmware.rtl.verilog.write_rtl` wrote, with the test bench.
        rtl: latency and ports of the design.
        x: (n, inputs) numbers on the grid of the input type.
        simulator: from :func:`find_simulator`.
        time_limit: for the build and for the run.

    Returns:
        (n, outputs) numbers; NaN where the simulator shows undefined bits.

    Raises:
        ToolError: the simulator failed, took too long or left no complete output.
    """
    root = folder.resolve()
    sources = [*verilog_files(root), *top_files(root), root / TESTBENCH]
    words = vectors.pack(rtl.top_input, np.asarray(x, dtype=np.float64))
    with tempfile.TemporaryDirectory(prefix="l1distill-rtl-") as name:
        results = run_testbench(sources, words, simulator, time_limit, Path(name))
    return vectors.unpack(rtl.top_output, results)


def run_testbench(
    sources: Sequence[Path],
    words: Sequence[str],
    simulator: Simulator,
    time_limit: TimeLimit,
    work: Path,
) -> list[str]:
    """Build and run a test bench that reads ``input.hex`` and writes ``output.hex``.

    Args:
        sources: Verilog files; the module ``testbench`` has a parameter ``EVENTS``.
        words: what it reads, a word for each of ``EVENTS``.
        simulator: from :func:`find_simulator`.
        time_limit: for the build and for the run.
        work: empty folder.

    Returns:
        As many words, as it wrote them.

    Raises:
        ToolError: the simulator failed, took too long or left no complete output.
    """
    (work / "input.hex").write_text("\n".join(words) + "\n")
    for command in _COMMANDS[simulator.name](simulator.program, [*map(str, sources)], len(words)):
        with Job(simulator.name, command, work, time_limit) as job:
            job.wait()
    output = work / "output.hex"
    results = output.read_text().split() if output.is_file() else []
    if len(results) != len(words):
        raise ToolError(f"{simulator.name}: {len(results)} results for {len(words)} events")
    return results


def _verilator(program: str, sources: list[str], events: int) -> list[list[str]]:
    # alkaid's Verilog switches off warnings by names that Verilator before 5.008 does not know
    known = ["-Wfuture-WIDTHTRUNC", "-Wfuture-WIDTHEXPAND"]
    flags = ["--binary", "-Wno-fatal", "-Wno-lint", *known, f"-GEVENTS={events}"]
    # Compiling Verilator's own library takes longer than all that it does for 10,000 events.
    flags += ["-MAKEFLAGS", "OPT_GLOBAL=-O0"]
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
