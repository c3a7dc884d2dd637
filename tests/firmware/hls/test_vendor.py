"""Reads reports of the vendor's format; the vendor's tools are played by a shell script."""

from dataclasses import replace
from pathlib import Path

import pytest

from l1distill.core.errors import ToolError
from l1distill.firmware.hls.vendor import (
    VendorReport,
    VendorTool,
    build,
    find_vendor_tool,
    read_report,
)
from l1distill.firmware.process import TimeLimit

CSYNTH = """\
<?xml version="1.0" encoding="UTF-8" ?>
<profile>
<ReportVersion><Version>2024.1</Version></ReportVersion>
<UserAssignments>
  <unit>ns</unit><ProductFamily>virtexuplus</ProductFamily>
  <Part>xcvu9p-flgb2104-2-e</Part><TopModelName>l1distill</TopModelName>
  <TargetClockPeriod>5.00</TargetClockPeriod><ClockUncertainty>1.35</ClockUncertainty>
</UserAssignments>
<PerformanceEstimates>
  <PipelineType>yes</PipelineType>
  <SummaryOfTimingAnalysis>
    <unit>ns</unit><EstimatedClockPeriod>3.642</EstimatedClockPeriod>
  </SummaryOfTimingAnalysis>
  <SummaryOfOverallLatency>
    <unit>clock cycles</unit>
    <Best-caseLatency>11</Best-caseLatency><Average-caseLatency>11</Average-caseLatency>
    <Worst-caseLatency>12</Worst-caseLatency>
    <Best-caseRealTimeLatency>55.000 ns</Best-caseRealTimeLatency>
    <DataflowPipelineThroughput>1</DataflowPipelineThroughput>
    <Interval-min>1</Interval-min><Interval-max>1</Interval-max>
  </SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
  <Resources>
    <BRAM_18K>3</BRAM_18K><DSP>17</DSP><FF>6123</FF><LUT>31415</LUT><URAM>0</URAM>
  </Resources>
  <AvailableResources>
    <BRAM_18K>4320</BRAM_18K><DSP>6840</DSP><FF>2364480</FF><LUT>1182240</LUT><URAM>960</URAM>
  </AvailableResources>
</AreaEstimates>
</profile>
"""
VIVADO = """\
1. CLB Logic
------------
+----------------------------+-------+-------+-----------+-------+
|          Site Type         |  Used | Fixed | Available | Util% |
+----------------------------+-------+-------+-----------+-------+
| CLB LUTs*                  | 12345 |     0 |   1182240 |  1.04 |
| CLB Registers              |  5432 |     0 |   2364480 |  0.23 |
+----------------------------+-------+-------+-----------+-------+
2. BLOCKRAM
-----------
| Block RAM Tile |  1.5 |     0 |      2160 |  0.07 |
|   URAM         |    0 |     0 |       960 |  0.00 |
3. ARITHMETIC
-------------
| DSPs      |   16 |     0 |      6840 |  0.23 |
"""
APP = '<project xmlns="com.autoesl" name="l1distill_prj"><solutions><solution name="solution1"/>\
</solutions></project>'
HLS_ONLY = VendorTool("vitis-run", "vitis-run", "Vitis", vivado=False)
WITH_VIVADO = replace(HLS_ONLY, vivado=True)
TIME_LIMIT = TimeLimit(60.0, "firmware.vendor_time_limit_s")


def project(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "project.tcl").write_text(
        'variable project_name\nset project_name "l1distill"\nset backend "vitis"\n'
    )
    return folder


def built(folder: Path, csynth: str | None = CSYNTH, vivado: str | None = None) -> Path:
    solution = project(folder) / "l1distill_prj" / "solution1"
    (solution / "syn" / "report").mkdir(parents=True)
    (folder / "l1distill_prj" / "hls.app").write_text(APP)
    if csynth is not None:
        (solution / "syn" / "report" / "l1distill_csynth.xml").write_text(csynth)
    if vivado is not None:
        (folder / "vivado_synth.rpt").write_text(vivado)
    return folder


def test_the_hls_report_is_read(tmp_path: Path) -> None:
    assert read_report(built(tmp_path), HLS_ONLY) == VendorReport(
        "vitis-run", "2024.1", 12, 1, 3.642, 31415, 6123, 17, 3, "estimate"
    )


def test_older_reports_name_their_dsps_otherwise(tmp_path: Path) -> None:
    older = CSYNTH.replace("<DSP>", "<DSP48E>").replace("</DSP>", "</DSP48E>")
    assert read_report(built(tmp_path, older), HLS_ONLY).dsp == 17


def test_vivados_synthesis_replaces_the_estimate_of_the_area(tmp_path: Path) -> None:
    assert read_report(built(tmp_path, vivado=VIVADO), WITH_VIVADO) == VendorReport(
        "vitis-run", "2024.1", 12, 1, 3.642, 12345, 5432, 16, 3, "measured"
    )  # 1.5 tiles of 36 Kibit are 3 of 18


@pytest.mark.parametrize(
    ("csynth", "vivado", "tool"),
    [
        (None, None, HLS_ONLY),
        (CSYNTH[:-200], None, HLS_ONLY),
        (CSYNTH.replace("<LUT>31415</LUT>", ""), None, HLS_ONLY),
        (CSYNTH.replace(">12</Worst", ">undef</Worst"), None, HLS_ONLY),
        (CSYNTH.replace("2024.1", ""), None, HLS_ONLY),
        (CSYNTH, None, WITH_VIVADO),
        (CSYNTH, VIVADO.replace("| DSPs", "| none"), WITH_VIVADO),
    ],
)
def test_a_missing_figure_is_a_failure(
    tmp_path: Path, csynth: str | None, vivado: str | None, tool: VendorTool
) -> None:
    with pytest.raises(ToolError, match="vitis-run: ") as error:
        read_report(built(tmp_path, csynth, vivado), tool)
    assert "\n" not in str(error.value)


def test_a_project_that_was_never_built_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no complete report"):
        read_report(project(tmp_path), HLS_ONLY)


def stand_in(folder: Path, script: str) -> VendorTool:
    program = folder / "vitis-run"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return replace(HLS_ONLY, program=str(program))


def test_a_build_runs_in_a_copy_and_its_report_is_read(tmp_path: Path) -> None:
    done, source = built(tmp_path / "done"), project(tmp_path / "source")
    script = f'[ "$*" = "--tcl build_prj.tcl --mode hls" ] && cp -r {done}/l1distill_prj .'
    report = build(stand_in(tmp_path, script), source, tmp_path / "work", TIME_LIMIT)
    assert report.lut == 31415
    options = (tmp_path / "work" / "build_opt.tcl").read_text()
    assert "synth 1" in options
    assert "vsynth 0" in options
    assert [path.name for path in source.iterdir()] == ["project.tcl"]


def test_a_build_that_fails_or_leaves_no_report_is_a_failure(tmp_path: Path) -> None:
    source = project(tmp_path / "source")
    with pytest.raises(ToolError, match="no complete report"):
        build(stand_in(tmp_path, "true"), source, tmp_path / "one", TIME_LIMIT)
    failing = stand_in(tmp_path, "echo ERROR: part not installed; exit 1")
    with pytest.raises(ToolError, match="status 1: ERROR: part not installed") as error:
        build(failing, source, tmp_path / "two", TIME_LIMIT)
    Path(str(error.value).split("(log: ")[1].rstrip(")")).unlink()


def test_the_tool_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_vendor_tool("auto") is None
    tool = stand_in(tmp_path, "true")
    assert find_vendor_tool("auto") == tool
    assert find_vendor_tool("never") is None
    (tmp_path / "vivado").symlink_to(tool.program)
    found = find_vendor_tool("auto")
    assert found is not None
    assert found.vivado
