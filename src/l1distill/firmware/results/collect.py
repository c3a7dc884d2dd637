"""Puts the results of all tools into one set of figures, each under its own tool's name."""

from typing import NamedTuple

from l1distill.firmware.devices import Device
from l1distill.firmware.hls.vendor import VendorReport
from l1distill.firmware.results.report import NO_CLOSURE, Figure, Figures, with_percentages
from l1distill.firmware.rtl.simulation import Simulator
from l1distill.firmware.rtl.verilog import RtlReport
from l1distill.firmware.rtl.yosys import YosysCounts
from l1distill.firmware.verification.comparison import Comparison


class RtlSimulation(NamedTuple):
    """What an RTL simulator said."""

    simulator: Simulator
    comparison: Comparison


class Reference(NamedTuple):
    """What the back ends were compared with."""

    name: str
    qkeras: Comparison | None
    """How far QKeras is from the reference, where it is not the reference itself."""


class Results(NamedTuple):
    """Everything that the tools other than yosys found."""

    rtl: RtlReport
    rtl_comparison: Comparison
    cpp_comparison: Comparison
    hls_comparison: Comparison
    hls_version: str
    rtl_simulation: RtlSimulation | None
    vendor: VendorReport | None
    reference: Reference
    own_version: str
    adversarial: int = 0
    """How many of the compared events were made to be difficult."""


def gather(results: Results, counts: YosysCounts, device: Device) -> Figures:
    """Returns the complete report of a synthesis.

    Args:
        results: pipeline, comparisons and the optional tools' figures.
        counts: yosys' primitives.
        device: the target.

    Returns:
        The figures; those of optional tools only where the tool ran.
    """
    figures = [
        *_pipeline(results.rtl, device),
        *_resources(results.rtl, counts),
        *_mismatches(results),
        *(_vendor(results.vendor, results.hls_version) if results.vendor else ()),
    ]
    return Figures(device=device, figures=with_percentages(figures, device))


def _pipeline(rtl: RtlReport, device: Device) -> list[Figure]:
    period = device.clock_period_ns
    longest = rtl.critical_delay_ns_estimate
    alkaid = {"tool": "alkaid", "version": rtl.version}
    return [
        Figure(
            name="firmware/latency_cycles",
            value=rtl.latency_cycles,
            unit="cycles",
            kind="measured",
            note="clock edges from the one that samples the inputs to the one that loads the "
            "output",
            **alkaid,
        ),
        Figure(
            name="firmware/latency_ns",
            value=rtl.latency_cycles * period,
            unit="ns",
            kind="estimate",
            note=f"{NO_CLOSURE}: cycles times {period:g} ns, the period of {device.clock_mhz:g} "
            f"MHz that was asked for",
            **alkaid,
        ),
        Figure(
            name="firmware/ii_cycles",
            value=rtl.ii_cycles,
            unit="cycles",
            kind="measured",
            **alkaid,
        ),
        Figure(
            name="firmware/critical_delay_ns",
            value=longest,
            unit="ns",
            kind="estimate",
            note="longest path between registers in alkaid's UltraScale+ delay model, before the "
            "retiming that the Vivado script asks for",
            **alkaid,
        ),
        Figure(
            name="firmware/slack_ns_estimate",
            value=period - longest,
            unit="ns",
            kind="estimate",
            note=f"period of {device.clock_mhz:g} MHz less critical_delay_ns; {NO_CLOSURE}",
            **alkaid,
        ),
        Figure(
            name="firmware/register_bits",
            value=rtl.register_bits,
            unit="bits",
            kind="measured",
            note="registers of the Verilog as written",
            **alkaid,
        ),
    ]


def _resources(rtl: RtlReport, counts: YosysCounts) -> list[Figure]:
    def counted(name: str, value: int, unit: str, note: str) -> Figure:
        return Figure(
            name=f"firmware/{name}",
            value=value,
            unit=unit,
            tool="yosys",
            version=counts.version,
            kind="measured",
            note=note,
        )

    unplaced = "primitives after mapping, before place and route"
    return [
        counted(
            "lut",
            counts.lut,
            "LUT",
            f"{unplaced}; an upper bound: two small LUTs are not packed into one LUT6",
        ),
        Figure(
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
    ]


def _mismatches(results: Results) -> list[Figure]:
    compared = [
        ("hls", "hls4ml", results.hls_version, "C simulation", results.hls_comparison),
        ("rtl", "alkaid", results.rtl.version, "emulator", results.rtl_comparison),
        ("cpp", "l1distill", results.own_version, "emulator in C++", results.cpp_comparison),
    ]
    if results.rtl_simulation is not None:
        simulator, comparison = results.rtl_simulation
        compared.append((simulator.name, simulator.name, simulator.version, "Verilog", comparison))
    verified = Figure(
        name="firmware/verified_events",
        value=results.rtl_comparison.events,
        unit="events",
        tool="l1distill",
        version=results.own_version,
        kind="measured",
        note=f"{results.adversarial} of them made to meet corners, roundings and saturations",
    )
    figures = [
        Figure(
            name=f"firmware/mismatches_{name}",
            value=comparison.mismatches,
            unit="events",
            tool=tool,
            version=tool_version,
            kind="measured",
            note=f"{what} against {results.reference.name} on {comparison.events} events, exactly"
            + (f"; {comparison.where}" if comparison.where else ""),
        )
        for name, tool, tool_version, what, comparison in compared
    ]
    total = Figure(
        name="firmware/mismatches",
        value=sum(figure.value for figure in figures),
        unit="events",
        tool="l1distill",
        version=results.own_version,
        kind="measured",
        note="sum of " + ", ".join(figure.name.removeprefix("firmware/") for figure in figures),
    )
    if results.reference.qkeras is None:
        return [total, *figures, verified]
    rounded = Figure(
        name="firmware/differences_qkeras",
        value=results.reference.qkeras.mismatches,
        unit="events",
        tool="l1distill",
        version=results.own_version,
        kind="measured",
        note=f"events of {results.reference.qkeras.events} where QKeras itself rounds its sums; "
        f"at most {results.reference.qkeras.max_abs_difference:g}; not a fault of the firmware",
    )
    return [total, *figures, verified, rounded]


def _vendor(vendor: VendorReport, hls_version: str) -> list[Figure]:
    def figure(name: str, value: float, unit: str, kind: str, note: str) -> Figure:
        return Figure.model_validate(
            {
                "name": f"firmware/{name}_vendor",
                "value": value,
                "unit": unit,
                "tool": vendor.tool,
                "version": vendor.version,
                "kind": kind,
                "note": f"{note}, of the hls4ml {hls_version} project",
            }
        )

    schedule = "HLS schedule"
    area = "Vivado synthesis, before place and route" if vendor.kind == "measured" else schedule
    return [
        figure("latency_cycles", vendor.latency_cycles, "cycles", "estimate", schedule),
        figure("ii_cycles", vendor.ii_cycles, "cycles", "estimate", schedule),
        figure("clock_ns", vendor.clock_estimate_ns, "ns", "estimate", schedule),
        figure("lut", vendor.lut, "LUT", vendor.kind, area),
        figure("ff", vendor.ff, "FF", vendor.kind, area),
        figure("dsp", vendor.dsp, "DSP", vendor.kind, area),
        figure("bram", vendor.bram_18k, "BRAM_18K", vendor.kind, area),
    ]
