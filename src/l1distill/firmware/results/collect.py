"""Collects the results of all tools into one synthesis report, each under its tool's name."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from l1distill.firmware.devices import Device
from l1distill.firmware.hls.vendor import VendorReport
from l1distill.firmware.results.report import (
    NO_CLOSURE,
    ReportEntry,
    SynthesisReport,
    with_percentages,
)
from l1distill.firmware.rtl.verilog import RtlReport
from l1distill.firmware.rtl.yosys import YosysCounts
from l1distill.firmware.verification.back_ends import ArraySimulation, RtlSimulation
from l1distill.firmware.verification.comparison import Comparison
from l1distill.firmware.verification.reference import Reference


@dataclass(frozen=True)
class ToolResults:
    """Pipeline, resources, comparisons and the results of optional tools."""

    rtl: RtlReport
    counts: YosysCounts
    rtl_comparison: Comparison
    cpp_comparison: Comparison
    hls_comparison: Comparison
    reference: Reference
    adversarial: int = 0
    """How many of the compared events are adversarial."""
    rtl_simulation: RtlSimulation | None = None
    copies: int = 1
    """How many of the network stand side by side."""
    array: ArraySimulation | None = None
    vendor: VendorReport | None = None


def collect_report(results: ToolResults, device: Device) -> SynthesisReport:
    """Collect the complete report of a synthesis.

    Args:
        results: of all tools.
        device: the target.

    Returns:
        The report; entries of optional tools only where the tool ran.
    """
    entries = [
        *_pipeline(results.rtl, device),
        *_resources(results.rtl, results.counts),
        *(_copies(results) if results.copies > 1 else ()),
        *_mismatches(results),
        *(_vendor(results.vendor) if results.vendor else ()),
    ]
    return SynthesisReport(device=device, entries=with_percentages(entries, device))


def _pipeline(rtl: RtlReport, device: Device) -> list[ReportEntry]:
    period = device.clock_period_ns
    longest = rtl.critical_delay_ns_estimate

    def entry(
        name: str, value: float, unit: str, kind: Literal["measured", "estimate"], note: str = ""
    ) -> ReportEntry:
        return ReportEntry(
            name=f"firmware/{name}",
            value=value,
            unit=unit,
            tool="alkaid",
            version=rtl.version,
            kind=kind,
            note=note,
        )

    return [
        entry(
            "latency_cycles",
            rtl.latency_cycles,
            "cycles",
            "measured",
            "clock edges from the one that samples the inputs to the one that loads the output",
        ),
        entry(
            "latency_ns",
            rtl.latency_cycles * period,
            "ns",
            "estimate",
            f"{NO_CLOSURE}: cycles times {period:g} ns, the period of {device.clock_mhz:g} MHz "
            "that was asked for",
        ),
        entry("ii_cycles", rtl.ii_cycles, "cycles", "measured"),
        entry(
            "critical_delay_ns",
            longest,
            "ns",
            "estimate",
            "longest path between registers in alkaid's UltraScale+ delay model, before the "
            f"retiming that the Vivado script asks for; stages cut at {rtl.latency_cutoff_ns:g} ns",
        ),
        entry(
            "setup_uncertainty_ns",
            rtl.setup_uncertainty_ns,
            "ns",
            "measured",
            "set_clock_uncertainty -setup of the constraints in rtl/src",
        ),
        entry(
            "slack_ns_estimate",
            period - rtl.setup_uncertainty_ns - longest,
            "ns",
            "estimate",
            f"period of {device.clock_mhz:g} MHz less setup_uncertainty_ns and critical_delay_ns; "
            f"{NO_CLOSURE}",
        ),
        entry(
            "register_bits",
            rtl.register_bits,
            "bits",
            "measured",
            "registers of the Verilog as written",
        ),
    ]


def _resources(rtl: RtlReport, counts: YosysCounts) -> list[ReportEntry]:
    def counted(name: str, value: int, unit: str, note: str) -> ReportEntry:
        return ReportEntry(
            name=f"firmware/{name}",
            value=value,
            unit=unit,
            tool="yosys",
            version=counts.version,
            kind="measured",
            note=note,
        )

    unplaced = "primitives after mapping, before place and route"
    unpacked = f"{unplaced}; two small LUTs are not packed into one LUT6"
    beside = (
        f"{unplaced}; what carry chains need beside those: each bit that selects a carry comes "
        "from a LUT of its own"
    )
    return [
        counted("lut", counts.lut, "LUT", unpacked),
        ReportEntry(
            name="firmware/lut_estimate_alkaid",
            value=rtl.lut_estimate,
            unit="LUT",
            tool="alkaid",
            version=rtl.version,
            kind="estimate",
            note="alkaid's cost model",
        ),
        counted("ff", counts.ff, "FF", unplaced),
        counted("dsp", counts.dsp, "DSP", unplaced),
        counted("bram", counts.bram_18k, "BRAM_18K", f"{unplaced}; a RAMB36 counts as 2"),
        counted("carry", counts.carry4, "CARRY4", unplaced),
        counted("lut_beside_carry", counts.lut_beside_carry, "LUT", beside),
    ]


def _copies(results: ToolResults) -> list[ReportEntry]:
    """Return what the copies take together: each is the same logic, which is counted once."""
    counts, copies = results.counts, results.copies
    ours = {"tool": "l1distill", "version": version("l1distill")}
    note = f"{copies} times firmware/{{}}; the copies were not counted together"
    return [
        ReportEntry(name="firmware/copies", value=copies, unit="networks", kind="measured", **ours),
        *(
            ReportEntry(
                name=f"firmware/{name}_copies_estimate",
                value=copies * value,
                unit=unit,
                kind="estimate",
                note=note.format(name),
                **ours,
            )
            for name, value, unit in (
                ("lut", counts.lut, "LUT"),
                ("ff", counts.ff, "FF"),
                ("dsp", counts.dsp, "DSP"),
                ("bram", counts.bram_18k, "BRAM_18K"),
            )
        ),
    ]


@dataclass(frozen=True)
class _BackEnd:
    """A compared back end: the end of its entry's name, its tool, and its description."""

    suffix: str
    tool: str
    version: str
    description: str
    comparison: Comparison


def _back_ends(results: ToolResults) -> list[_BackEnd]:
    hls, rtl, cpp = results.hls_comparison, results.rtl_comparison, results.cpp_comparison
    back_ends = [
        _BackEnd("hls", "hls4ml", version("hls4ml"), "C simulation", hls),
        _BackEnd("rtl", "alkaid", results.rtl.version, "emulator", rtl),
        _BackEnd("cpp", "l1distill", version("l1distill"), "emulator in C++", cpp),
    ]
    if results.rtl_simulation is not None:
        simulator, comparison = results.rtl_simulation.simulator, results.rtl_simulation.comparison
        name = simulator.name
        back_ends.append(_BackEnd(name, name, simulator.version, "Verilog", comparison))
    if results.array is not None:
        array = results.array
        what = f"Verilog of {array.copies} copies, {array.groups} groups of items,"
        simulator = array.simulator
        back_ends.append(
            _BackEnd("copies", simulator.name, simulator.version, what, array.comparison)
        )
    return back_ends


def _mismatches(results: ToolResults) -> list[ReportEntry]:
    def counted(name: str, value: float, note: str) -> ReportEntry:
        return ReportEntry(
            name=f"firmware/{name}",
            value=value,
            unit="events",
            tool="l1distill",
            version=version("l1distill"),
            kind="measured",
            note=note,
        )

    reference = results.reference
    compared = []
    for back_end in _back_ends(results):
        comparison = back_end.comparison
        note = (
            f"{back_end.description} against {reference.name} on {comparison.events} events, "
            "exactly" + (f"; {comparison.first_difference}" if comparison.first_difference else "")
        )
        entry = counted(f"mismatches_{back_end.suffix}", comparison.mismatches, note)
        tool = {"tool": back_end.tool, "version": back_end.version}
        compared.append(entry.model_copy(update=tool))
    names = (entry.name.removeprefix("firmware/") for entry in compared)
    total = sum(entry.value for entry in compared)
    entries = [
        counted("mismatches", total, "sum of " + ", ".join(names)),
        *compared,
        counted(
            "verified_events",
            results.rtl_comparison.events,
            f"{results.adversarial} of them made to meet corners, roundings and saturations",
        ),
    ]
    if reference.qkeras is not None:
        note = (
            f"events of {reference.qkeras.events} where QKeras itself rounds its sums; at most "
            f"{reference.qkeras.max_abs_difference:g}; not a fault of the firmware"
        )
        entries.append(counted("differences_qkeras", reference.qkeras.mismatches, note))
    return entries


def _vendor(vendor: VendorReport) -> list[ReportEntry]:
    def entry(
        name: str, value: float, unit: str, kind: Literal["measured", "estimate"], note: str
    ) -> ReportEntry:
        return ReportEntry(
            name=f"firmware/{name}_vendor",
            value=value,
            unit=unit,
            tool=vendor.tool,
            version=vendor.version,
            kind=kind,
            note=f"{note}, of the hls4ml {version('hls4ml')} project",
        )

    schedule = "HLS schedule"
    area = "Vivado synthesis, before place and route" if vendor.kind == "measured" else schedule
    return [
        entry("latency_cycles", vendor.latency_cycles, "cycles", "estimate", schedule),
        entry("ii_cycles", vendor.ii_cycles, "cycles", "estimate", schedule),
        entry("clock_ns", vendor.clock_estimate_ns, "ns", "estimate", schedule),
        entry("lut", vendor.lut, "LUT", vendor.kind, area),
        entry("ff", vendor.ff, "FF", vendor.kind, area),
        entry("dsp", vendor.dsp, "DSP", vendor.kind, area),
        entry("bram", vendor.bram_18k, "BRAM_18K", vendor.kind, area),
    ]
