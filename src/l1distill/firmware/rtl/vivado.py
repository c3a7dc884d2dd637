"""Tcl script for Vivado: synthesis of the Verilog out of context, with its utilization report."""

from pathlib import Path

from l1distill.firmware.devices import Device
from l1distill.firmware.rtl.top import CONSTRAINTS, FOLDER, TOP
from l1distill.firmware.rtl.verilog import verilog_files

SCRIPT = "synth_ooc.tcl"

_TEMPLATE = """\
# Synthesis out of context, for the figures that Vivado gives before place and route:
#   vivado -mode batch -source {script}
# build_vivado_prj.tcl, beside it, goes on to a routed kernel. The clock is {clock_mhz:g} MHz
# ({period_ns:g} ns), set in the constraints.
set here [file dirname [file normalize [info script]]]
set reports [file join $here synth_ooc]
set sources {{
{sources}
}}
file mkdir $reports
foreach source $sources {{
    read_verilog [file join $here $source]
}}
read_xdc -mode out_of_context [file join $here {constraints}]
# rebuilt: optimized across modules as if flat, and reported module by module
synth_design -top {top} -part {part} -mode out_of_context -global_retiming on \\
    -flatten_hierarchy rebuilt
report_utilization -file [file join $reports utilization.rpt]
report_utilization -hierarchical -file [file join $reports utilization_by_module.rpt]
report_timing_summary -file [file join $reports timing.rpt]
write_checkpoint -force [file join $reports {top}.dcp]
"""


def write_ooc_script(device: Device, folder: Path) -> None:
    """Write :data:`SCRIPT` into the folder of the Verilog that it reads; its paths are relative.

    Args:
        device: part and clock.
        folder: that ``write_rtl`` wrote for the device.
    """
    kernel = (path.relative_to(folder).as_posix() for path in verilog_files(folder))
    sources = (*kernel, f"{FOLDER}/{TOP}.v")
    text = _TEMPLATE.format(
        script=SCRIPT,
        clock_mhz=device.clock_mhz,
        period_ns=device.clock_period_ns,
        sources="\n".join(f"    {source}" for source in sources),
        top=TOP,
        constraints=CONSTRAINTS,
        part=device.part,
    )
    (folder / SCRIPT).write_text(text, encoding="utf-8")
