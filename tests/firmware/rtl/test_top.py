"""The top module and its AXI4-Stream wrapper, under a test bench of their own."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.firmware.network.network import evaluate
from l1distill.firmware.rtl.top import top_files
from l1distill.firmware.rtl.vectors import pack, unpack
from l1distill.firmware.rtl.verilog import RtlReport, trace_network, verilog_files, write_rtl
from tests.firmware.emulators import small_network
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

EVENTS = 200
pytestmark = pytest.mark.needs_program("iverilog")

STREAM = """
`timescale 1 ns / 1 ps
module bench;
    reg clk = 0, resetn = 0, in_valid = 0, out_ready = 0;
    reg [23:0] events [0:{events}-1];
    reg [23:0] data = 0;
    wire in_ready, out_valid;
    wire [15:0] result;
    integer sent = 0, taken = 0, edges = 0, seed = 5;
    l1distill_axis dut (
        .aclk(clk), .aresetn(resetn), .s_axis_tdata(data), .s_axis_tvalid(in_valid),
        .s_axis_tready(in_ready), .m_axis_tdata(result), .m_axis_tvalid(out_valid),
        .m_axis_tready(out_ready)
    );
    always #1 clk = ~clk;
    always @(posedge clk) begin
        if (out_valid && out_ready) begin $display("%h", result); taken = taken + 1; end
        if (in_valid && in_ready) sent = sent + 1;
    end
    initial begin
        $readmemh("input.hex", events);
        repeat (3) @(negedge clk);
        resetn = 1;
        while (taken < {events}) begin
            // tvalid stays until it is accepted, with the same data
            if (!in_valid || data !== events[sent]) in_valid = sent < {events} && {give};
            data = in_valid ? events[sent] : 24'hx;
            out_ready = {take};
            @(negedge clk);
            edges = edges + 1;
            if (sent == {events}) in_valid = 0;
        end
        $display("edges %0d", edges);
        $finish;
    end
endmodule
"""

RESET = """
`timescale 1 ns / 1 ps
module bench;
    reg clk = 0, rst = 1, in_valid = 0;
    wire out_valid;
    wire [11:0] result;
    integer edge_, seen = 0;
    l1distill_top dut (
        .clk(clk), .rst(rst), .in_valid(in_valid), .model_inp(24'h123456),
        .out_valid(out_valid), .model_out(result)
    );
    always #1 clk = ~clk;
    initial for (edge_ = 0; edge_ < 30; edge_ = edge_ + 1) begin
        @(negedge clk);
        if (edge_ > 1 && out_valid !== 0) begin seen = seen + 1; $display("at %0d", edge_); end
        rst = edge_ < 2 || edge_ == 6;
        in_valid = edge_ == 5 || edge_ == 12;
        if (edge_ == 29) $finish;
    end
endmodule
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RtlReport]:
    folder = tmp_path_factory.mktemp("top")
    return folder, write_rtl(trace_network(small_network()), HARDWARE, 1.5, folder)


def run(folder: Path, bench: str, work: Path) -> list[str]:
    (work / "bench.v").write_text(bench)
    sources = [*verilog_files(folder), *top_files(folder), work / "bench.v"]
    build = ["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-s", "bench", "-o", "design"]
    done = subprocess.run([*build, *sources], cwd=work, check=True, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "/top/" in line] == []
    run = subprocess.run(
        ["vvp", "-n", "design"], cwd=work, check=True, capture_output=True, text=True
    )
    return run.stdout.splitlines()


def events() -> NDArray[np.float64]:
    return full_range(small_network(), EVENTS)


@pytest.mark.parametrize(
    ("give", "take", "fewest"),
    [
        ("1", "1", EVENTS),
        ("$random(seed) % 3 == 0", "1", 2 * EVENTS),
        ("1", "$random(seed) % 4 == 0", 2 * EVENTS),  # the buffer fills, and nothing is lost
        ("$random(seed) % 2 == 0", "$random(seed) % 2 == 0", EVENTS),
    ],
)
def test_the_stream_loses_nothing_and_keeps_the_order(
    made: tuple[Path, RtlReport], tmp_path: Path, give: str, take: str, fewest: int
) -> None:
    folder, rtl = made
    network, x = small_network(), events()
    words = pack(rtl.top_input, network.to_port_values(x))
    (tmp_path / "input.hex").write_text("\n".join(words) + "\n")
    *results, last = run(folder, STREAM.format(events=EVENTS, give=give, take=take), tmp_path)
    assert all(word.startswith("0") for word in results)  # 12 bits in two bytes
    assert np.array_equal(unpack(rtl.top_output, results), evaluate(network, x))
    edges = int(last.removeprefix("edges "))
    assert edges >= fewest
    if (give, take) == ("1", "1"):  # an event a clock, all the time
        assert edges <= EVENTS + rtl.latency_cycles + 3


def test_reset_drops_what_is_under_way(made: tuple[Path, RtlReport], tmp_path: Path) -> None:
    folder, rtl = made
    assert rtl.latency_cycles > 2
    assert run(folder, RESET, tmp_path) == [f"at {12 + rtl.latency_cycles + 1}"]
