"""Copies of the network side by side, for a stream of groups of items: an event's particles.

An event has thousands of particles and the network takes one at every clock edge; copies take as
many at once. Each copy is the whole top module, so that what is verified there holds here.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl import vectors
from l1distill.firmware.rtl.simulation import Simulator, run_testbench
from l1distill.firmware.rtl.top import FOLDER, TOP, top_files
from l1distill.firmware.rtl.verilog import RtlReport, verilog_files

ARRAY = "l1distill_array"
SOURCE = f"{FOLDER}/{ARRAY}.v"
TESTBENCH = "sim/array_testbench.v"

_ARRAY = """\
`timescale 1 ns / 1 ps
// {copies} copies of {top} side by side: so many items of a group (particles of an event) at every
// clock edge. The results of the items that are sampled with their in_valid appear {latency} clock
// edges later in the same lanes, with their out_valid. in_last marks the last items of a group, and
// comes out with their results as out_last. Groups may follow one another without a gap.
// rst (active high, synchronous) drops what is under way.
//
// Lane 0 is in the lowest bits of each bus; a lane is as the bus of {top}.
module {array} #(parameter LANES = {copies}) (
    input wire clk,
    input wire rst,
    input wire [LANES-1:0] in_valid,
    input wire in_last,
    input wire [LANES*{inputs}-1:0] model_inp,
    output wire [LANES-1:0] out_valid,
    output wire out_last,
    output wire [LANES*{outputs}-1:0] model_out
);
    reg [{latency}:0] last;

    always @(posedge clk)
        if (rst) last <= 0;
        else last <= {{last[{latency_less_1}:0], in_last}};
    assign out_last = last[{latency}];

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            {top} top (
                .clk(clk),
                .rst(rst),
                .in_valid(in_valid[lane]),
                .model_inp(model_inp[lane*{inputs} +: {inputs}]),
                .out_valid(out_valid[lane]),
                .model_out(model_out[lane*{outputs} +: {outputs}])
            );
        end
    endgenerate
endmodule
"""

_TESTBENCH = """\
`timescale 1 ns / 1 ps
// Feeds groups of items, {copies} at a clock edge, with and without gaps between, and writes what
// comes out: out_last, out_valid and the results of each edge at which some are valid.
//
// Valid signals and out_last must follow by LATENCY edges, and reset must drop what is under way.
// From the first edge at which that is not so, undefined words are written.
module testbench;
    parameter EVENTS = 1;  // edges at which something is given
    localparam LATENCY = {latency};
    reg clk = 0, rst = 1, in_last = 1;
    reg [{copies}-1:0] in_valid = ~0;
    reg [{word}-1:0] given [0:EVENTS-1];
    reg [{copies}*{inputs}-1:0] model_inp = 0;
    wire [{copies}-1:0] out_valid;
    wire out_last;
    wire [{copies}*{outputs}-1:0] model_out;
    reg [{copies}:0] expected [0:LATENCY];  // in_last and in_valid of the last edges
    reg [15:0] random = 16'hace1;
    integer sent, taken, file, edge_number;

    {array} dut (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_last(in_last), .model_inp(model_inp),
        .out_valid(out_valid), .out_last(out_last), .model_out(model_out)
    );

    always #1 clk = ~clk;

    initial begin
        $readmemh("input.hex", given);
        file = $fopen("output.hex", "w");
        sent = 0;
        taken = 0;
        for (edge_number = 0; edge_number <= LATENCY; edge_number = edge_number + 1)
            expected[edge_number] = 0;
        repeat (2) @(negedge clk);
        rst = 0;
        while (taken < EVENTS) begin
            if (sent < EVENTS && random[1:0] != 0) begin
                {{in_last, in_valid, model_inp}} = given[sent];
                sent = sent + 1;
            end else begin
                in_last = 0;
                in_valid = 0;
                model_inp = ~model_inp;
            end
            random = {{random[14:0], random[15] ^ random[13] ^ random[12] ^ random[10]}};
            @(negedge clk);
            for (edge_number = LATENCY; edge_number > 0; edge_number = edge_number - 1)
                expected[edge_number] = expected[edge_number - 1];
            expected[0] = {{in_last, in_valid}};
            if ({{out_last, out_valid}} !== expected[LATENCY]) begin
                while (taken < EVENTS) begin
                    $fdisplay(file, "x");
                    taken = taken + 1;
                end
            end else if (|out_valid) begin
                $fdisplay(file, "%h", model_out);
                taken = taken + 1;
            end
        end
        $fclose(file);
        $finish;
    end
endmodule
"""


def write_array(rtl: RtlReport, copies: int, folder: Path) -> None:
    """Write the array and its test bench beside the top module.

    Args:
        rtl: latency and ports of the design.
        copies: lanes of the array, at least 2.
        folder: that :func:`l1distill.firmware.rtl.verilog.write_rtl` wrote.
    """
    inputs, outputs = rtl.top_input.bits, rtl.top_output.bits
    values = {
        "top": TOP,
        "array": ARRAY,
        "copies": copies,
        "latency": rtl.latency_cycles,
        "latency_less_1": rtl.latency_cycles - 1,
        "inputs": inputs,
        "outputs": outputs,
        "word": 1 + copies + copies * inputs,
    }
    for name, template in ((SOURCE, _ARRAY), (TESTBENCH, _TESTBENCH)):
        (folder / name).write_text(template.format(**values), encoding="utf-8")


def group_lengths(items: int, copies: int, given: Sequence[int] = ()) -> list[int]:
    """Choose in which groups items are sent through the array.

    Args:
        items: how many there are.
        copies: lanes of the array.
        given: lengths of the groups that the first items are known to be of, such as the particles
            of whole events; a group that is not whole here counts as far as it goes.

    Returns:
        Lengths that add up to ``items``: the given ones, then lengths around the number of lanes,
        and what is left.
    """
    lengths, left = [], items
    for length in (*given, 1, copies - 1, copies, copies + 1, 2 * copies, items):
        taken = min(length, left)
        if taken > 0:
            lengths.append(taken)
            left -= taken
    return lengths


def simulate_array(
    folder: Path,
    rtl: RtlReport,
    copies: int,
    x: NDArray[np.float64],
    groups: Sequence[int],
    simulator: Simulator,
    time_limit: TimeLimit,
) -> NDArray[np.float64]:
    """Simulate groups of items in the written array.

    Args:
        folder: with the array and its test bench.
        rtl: latency and ports of the design.
        copies: lanes of the array.
        x: (n, inputs) numbers on the grid of the input type.
        groups: lengths of the groups that they are of, one after the other.
        simulator: from :func:`l1distill.firmware.rtl.simulation.find_simulator`.
        time_limit: for the build and for the run.

    Returns:
        (n, outputs) numbers; NaN where the simulator shows undefined bits, and from the first edge
        on at which valid signals or the ends of groups are not where they should be.

    Raises:
        ToolError: the simulator failed, took too long or left no complete output.
    """
    items = vectors.pack(rtl.top_input, np.asarray(x, dtype=np.float64))
    edges = list(_edges(groups, copies))
    words = [
        _word([int(items[n], 16) for n in at], last, copies, rtl.top_input.bits)
        for at, last in edges
    ]
    root = folder.resolve()
    sources = [*verilog_files(root), *top_files(root), root / SOURCE, root / TESTBENCH]
    with tempfile.TemporaryDirectory(prefix="l1distill-array-") as name:
        results = run_testbench(sources, words, simulator, time_limit, Path(name))
    width = rtl.top_output.bits
    lanes = []
    for text, (at, _) in zip(results, edges, strict=True):
        lanes += [_lane(text, n, width) for n in range(len(at))]
    return vectors.unpack(rtl.top_output, lanes)


def _edges(groups: Sequence[int], copies: int) -> Iterator[tuple[range, bool]]:
    """Yield which items are sent at each edge, and whether they end a group."""
    start = 0
    for length in groups:
        end = start + length
        for at in range(start, end, copies):
            stop = min(at + copies, end)
            yield range(at, stop), stop == end
        start = end


def _word(items: Sequence[int], last: bool, copies: int, width: int) -> str:
    """Return ``{in_last, in_valid, model_inp}`` as a hexadecimal word."""
    word = int(last) << copies | ((1 << len(items)) - 1)
    word <<= copies * width
    for lane, item in enumerate(items):
        word |= item << (lane * width)
    digits = -(-(1 + copies + copies * width) // 4)
    return f"{word:0{digits}x}"


def _lane(text: str, lane: int, width: int) -> str:
    """Return the bits of a lane; undefined digits of other lanes do not matter to it."""
    if text == "x":
        return text
    # a digit is four bits, and those of an undefined one are undefined
    bits = "".join("xxxx" if c in "xzXZ" else f"{int(c, 16):04b}" for c in text)
    high = len(bits) - lane * width
    chosen = bits[high - width : high]
    return "x" if "x" in chosen else f"{int(chosen or '0', 2):x}"
