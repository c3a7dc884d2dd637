import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import YosysCounts, parse_stat, synthesize_verilog, yosys_job
from tests.firmware.conftest import Student
from tests.firmware.students import HARDWARE, Case, build

TIME_LIMIT = TimeLimit(300.0, "firmware.yosys_time_limit_s")


def count(
    case: Case, folder: Path, family: str = "xcup", cutoff_ns: float = 5.0
) -> tuple[YosysCounts, int]:
    emulator = trace_network(from_qkeras(build(case)))
    figures = write_rtl(emulator, HARDWARE, cutoff_ns, folder)
    counts = synthesize_verilog(verilog_files(folder), TOP, family, TIME_LIMIT, 4.0)
    return counts, figures.register_bits


def test_counts_grow_with_the_network(tmp_path: Path) -> None:
    small, small_bits = count(Case(layers=(3,), weights=(3, 0), n_inputs=8), tmp_path / "small")
    wide, wide_bits = count(Case(layers=(6,), weights=(3, 0), n_inputs=8), tmp_path / "wide")
    fine, _ = count(Case(layers=(6,), weights=(7, 0), n_inputs=8), tmp_path / "fine")
    assert 0 < small.lut < wide.lut < fine.lut
    assert 0 < small.carry4 < wide.carry4 < fine.carry4
    assert 0 < small.ff <= small_bits
    assert 0 < wide.ff <= wide_bits
    assert small.dsp == small.bram_18k == 0
    assert small.version == "0.70"


def test_a_known_circuit_is_counted_exactly(tmp_path: Path) -> None:
    source = tmp_path / "known.v"
    source.write_text(
        "module known (input clk, input [5:0] a, output reg [1:0] q);\n"
        "always @(posedge clk) q <= {^a, &a};\n"
        "endmodule\n"
    )
    for family in ("xcup", "xc7"):
        counts = synthesize_verilog([source], "known", family, TIME_LIMIT, 4.0)
        assert counts == YosysCounts(
            lut=2, ff=2, dsp=0, bram_18k=0, carry4=0, lut_beside_carry=0, version="0.70"
        )


def test_multipliers_and_memories_are_seen(tmp_path: Path) -> None:
    source = tmp_path / "rich.v"
    source.write_text(
        "module rich (input clk, input we, input [10:0] at, input signed [16:0] a, b,\n"
        "  output reg signed [33:0] p, output reg [17:0] q);\n"
        "reg [17:0] memory [0:2047];\n"
        "always @(posedge clk) begin\n"
        "  p <= a * b; q <= memory[at]; if (we) memory[at] <= a;\n"
        "end\nendmodule\n"
    )
    counts = synthesize_verilog([source], "rich", "xcup", TIME_LIMIT, 4.0)
    # as the whole of synth_xilinx says; 36 Kibit are one RAMB36, or two RAMB18
    assert counts == YosysCounts(
        lut=0, ff=34, dsp=1, bram_18k=2, carry4=0, lut_beside_carry=0, version="0.70"
    )


def test_memories_and_delays_of_a_few_bits_are_luts(tmp_path: Path) -> None:
    source = tmp_path / "few.v"
    source.write_text(
        "module few (input clk, input we, input [4:0] at, input [7:0] a,\n"
        "  output reg [7:0] q, output [7:0] late);\n"
        "reg [7:0] memory [0:31]; reg [7:0] delay [0:15]; integer i;\n"
        "always @(posedge clk) begin\n"
        "  q <= memory[at]; if (we) memory[at] <= a;\n"
        "  delay[0] <= a; for (i = 1; i < 16; i = i + 1) delay[i] <= delay[i - 1];\n"
        "end\nassign late = delay[15];\nendmodule\n"
    )
    counts = synthesize_verilog([source], "few", "xcup", TIME_LIMIT, 4.0)
    assert counts == YosysCounts(
        lut=16, ff=8, dsp=0, bram_18k=0, carry4=0, lut_beside_carry=0, version="0.70"
    )


@pytest.mark.parametrize(
    ("select", "outputs", "beside"),
    [
        ("{4{1'b0}} | {r[3] ^ b[3], r[2] ^ b[2], r[1] ^ b[1], r[0] ^ b[0]}", "4", 0),
        ("r[3:0]", "4", 4),  # registers: each takes a LUT as a route through
        ("r[3:0]", "2", 2),  # of the bits that nobody reads, none
        ("{r[3:1], r[0] ^ b[0]}", "4", 3),
        ("{4{r[0] ^ b[0]}}", "4", 3),  # the same LUT once for each bit
    ],
)
def test_luts_that_carry_chains_need_are_counted(
    select: str, outputs: str, beside: int, tmp_path: Path
) -> None:
    source = tmp_path / "chain.v"
    source.write_text(
        "module chain (input clk, input [3:0] a, b, output [3:0] q);\n"
        "reg [3:0] r; always @(posedge clk) r <= a;\nwire [3:0] o;\n"
        f"CARRY4 carry (.CI(1'b0), .CYINIT(1'b0), .DI(b), .S({select}), .O(o));\n"
        f"assign q = o[{outputs} - 1:0];\nendmodule\n"
    )
    counts = synthesize_verilog([source], "chain", "xcup", TIME_LIMIT, 4.0)
    assert (counts.carry4, counts.lut_beside_carry) == (1, beside)


def assert_fails(
    words: str, sources: list[Path], time_limit: TimeLimit, memory: float = 4.0
) -> None:
    with pytest.raises(ToolError, match=words) as error:
        synthesize_verilog(sources, TOP, "xcup", time_limit, memory)
    line = str(error.value)
    assert "\n" not in line
    Path(line.split("(log: ")[1].rstrip(")")).unlink()


def test_broken_verilog_is_one_line_with_a_log(tmp_path: Path) -> None:
    source = tmp_path / "broken.v"
    source.write_text("module l1distill (input clk; endmodule\n")
    assert_fails("yosys: ended with status", [source], TIME_LIMIT)


def test_time_and_memory_are_limited(student: Callable[[str], Student], tmp_path: Path) -> None:
    write_rtl(trace_network(student("default").network), HARDWARE, 5.0, tmp_path)
    sources = list(verilog_files(tmp_path))
    quick = replace(TIME_LIMIT, seconds=0.5)
    assert_fails(r"stopped after 0\.5 s; raise firmware\.yosys_time_limit_s", sources, quick)
    memory = r"needs more memory than 0\.1 GiB; raise firmware\.yosys_memory_limit_gib"
    assert_fails(memory, sources, TIME_LIMIT, memory=0.1)


def test_a_job_that_is_not_waited_for_is_stopped(
    student: Callable[[str], Student], tmp_path: Path
) -> None:
    write_rtl(trace_network(student("default").network), HARDWARE, 5.0, tmp_path)
    beside = yosys_job(verilog_files(tmp_path), TOP, "xcup", TIME_LIMIT, 4.0)
    with pytest.raises(RuntimeError, match="something else"), beside as running:
        raise RuntimeError("something else")
    assert running.job.ended
    assert not running.job.log.exists()


def stat(**changes: Any) -> str:
    content: dict[str, Any] = {
        "creator": "Yosys 0.70 (git sha1 1234)",
        "modules": {"\\top": {}},
        "luts_beside_carry": 3,
        "design": {"num_cells": 11, "num_cells_by_type": {"LUT6": 5, "FDRE": 4, "RAMB36E2": 2}},
    }
    content.update(changes)
    return json.dumps({key: value for key, value in content.items() if value is not None})


def test_statistics_are_read() -> None:
    assert parse_stat(stat(), "top") == YosysCounts(5, 4, 0, 4, 0, "0.70", 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        (stat()[:-20], "delimiter|Expecting"),
        ("[]", "TypeError"),
        (stat(modules=None), "modules"),
        (stat(modules={}), "module top is missing"),
        (stat(design=None), "design"),
        (stat(design={"num_cells": 3, "num_cells_by_type": {"LUT6": 2}}), "sum to 2 cells, not 3"),
        (stat(design={"num_cells": 1, "num_cells_by_type": {"$add": 1}}), r"\$add"),
        (stat(creator="ABC"), "is not yosys"),
        (stat(luts_beside_carry=None), "luts_beside_carry"),
    ],
)
def test_statistics_that_are_not_complete_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_stat(text, "top")
