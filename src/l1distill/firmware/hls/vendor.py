"""Vitis HLS or Vivado HLS, where one is on the PATH: run hls4ml's build and parse its report."""

import contextlib
import io
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from l1distill.core.errors import ToolError
from l1distill.firmware.hls.project import Backend
from l1distill.firmware.process import TimeLimit, run

COMMANDS: dict[str, tuple[Backend, tuple[str, ...]]] = {
    "vitis-run": ("Vitis", ("--tcl", "build_prj.tcl", "--mode", "hls")),
    "vitis_hls": ("Vitis", ("-f", "build_prj.tcl")),
    "vivado_hls": ("Vivado", ("-f", "build_prj.tcl")),
}
"""In the order of preference; the first is what hls4ml 1.3 calls itself."""
_OPTIONS = {"csim": 0, "synth": 1, "cosim": 0, "validation": 0, "export": 0, "fifo_opt": 0}


@dataclass(frozen=True)
class VendorTool:
    """A vendor's HLS compiler on this machine."""

    name: str
    program: str
    backend: Backend
    """The back end of hls4ml whose projects it builds."""
    vivado: bool
    """Whether ``vivado`` is installed as well, to synthesize the HLS compiler's Verilog."""


@dataclass(frozen=True)
class VendorReport:
    """Latency and resources as the vendor's tools report them."""

    tool: str
    version: str
    latency_cycles: int
    ii_cycles: int
    clock_estimate_ns: float
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    kind: Literal["measured", "estimate"]
    """``measured`` when Vivado has synthesized the logic, before place and route."""


def find_vendor_tool(choice: Literal["auto", "never"]) -> VendorTool | None:
    """Find the vendor's HLS compiler; ``None`` where none is on the PATH, or for ``never``."""
    for name, (backend, _) in COMMANDS.items():
        if choice == "auto" and (program := shutil.which(name)):
            vivado = shutil.which("vivado") is not None
            return VendorTool(name=name, program=program, backend=backend, vivado=vivado)
    return None


def build(tool: VendorTool, project: Path, work: Path, time_limit: TimeLimit) -> VendorReport:
    """Build a copy of an hls4ml project with the vendor's compiler and read its report.

    Args:
        tool: the compiler.
        project: that :func:`.write_hls_project` wrote for its back end.
        work: a folder to make and fill.
        time_limit: of the build.

    Returns:
        The vendor's report.

    Raises:
        ToolError: the build failed, or left no complete report.
    """
    shutil.copytree(project, work)
    options = {"reset": 0, **_OPTIONS, "vsynth": int(tool.vivado)}
    lines = "".join(f"    {name} {value}\n" for name, value in options.items())
    (work / "build_opt.tcl").write_text(f"array set opt {{\n{lines}}}\n")
    run(tool.name, [tool.program, *COMMANDS[tool.name][1]], work, time_limit)
    return read_report(work, tool)


def read_report(project: Path, tool: VendorTool) -> VendorReport:
    """Read the reports of a built project.

    Args:
        project: the folder that holds ``project.tcl``.
        tool: that built it.

    Returns:
        Resources from Vivado's synthesis where it ran, else from the HLS compiler.

    Raises:
        ToolError: a report or a number is missing; a build without report is a failed build.
    """
    from hls4ml.report import parse_vivado_report

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            report: Mapping[str, Any] = parse_vivado_report(str(project)) or {}
        synthesis = report["CSynthesisReport"]
        # ``BRAM_18K`` of this report is the number of 36 Kibit tiles
        area = report["VivadoSynthReport"] if tool.vivado else synthesis
        tiles = 2 if tool.vivado else 1
        return VendorReport(
            tool=tool.name,
            version=_version(project),
            latency_cycles=int(synthesis["WorstLatency"]),
            ii_cycles=int(synthesis["IntervalMax"]),
            clock_estimate_ns=float(synthesis["EstimatedClockPeriod"]),
            lut=int(area["LUT"]),
            ff=int(area["FF"]),
            dsp=int(area["DSP48E" if tool.vivado else "DSP"]),
            bram_18k=math.ceil(tiles * float(area["BRAM_18K"])),
            kind="measured" if tool.vivado else "estimate",
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ToolError(
            f"{tool.name}: the project has no complete report ({type(error).__name__}: {error}); "
            "see its log for memory or an unknown part"
        ) from error
    except SyntaxError as error:  # xml.etree.ElementTree.ParseError is one
        raise ToolError(f"{tool.name}: its report is truncated ({error})") from error


def _version(project: Path) -> str:
    """Return the version of the HLS compiler, which hls4ml's parser does not read."""
    (path,) = project.glob("*_prj/solution1/syn/report/*_csynth.xml")
    version = ElementTree.parse(path).findtext("./ReportVersion/Version")
    if not version:
        raise KeyError("ReportVersion")
    return version
