"""Verilog through alkaid: distributed arithmetic in one fully unrolled pipeline.

Only products of two variables, as in the squares of a score, are multipliers.
"""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from l1distill.firmware.devices import Device
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network
from l1distill.firmware.rtl import top, tracing
from l1distill.firmware.rtl.port import Port

TOP = top.KERNEL
"""Name of the kernel, the top of what alkaid writes."""
PORTS = "ports.json"
"""Says which bits of the buses hold which input and output."""
SETUP_UNCERTAINTY = 0.1
"""Share of the clock period that the constraints take off for jitter and skew."""
_CUTOFF_STEP_NS, _SHORTEST_CUTOFF_NS = 0.25, 1.0
"""How much shorter stages are tried, and the shortest: about one operation."""


@dataclass(frozen=True, kw_only=True)
class RtlReport:
    """Latency, registers, delay and ports of a design that alkaid wrote."""

    latency_cycles: int
    """Clock edges from the one that samples the inputs to the one that loads the outputs."""
    ii_cycles: int
    register_bits: int
    lut_estimate: float
    """alkaid's own cost model [LUT]."""
    critical_delay_ns_estimate: float
    """Longest path between two registers in alkaid's delay model, before placement [ns]."""
    latency_cutoff_ns: float
    """Budget of estimated delay that the stages were cut with [ns]."""
    setup_uncertainty_ns: float
    """What the constraints take off the clock period for setup [ns]."""
    input_port: Port
    """Of the kernel: the bits that it needs."""
    output_port: Port
    top_input: Port
    """Of the top module: every input at its full width."""
    top_output: Port
    version: str
    """alkaid's version."""


def trace_network(network: Network) -> Emulator:
    """Trace a network into logic: adders, shifts, rounding and clipping.

    Args:
        network: the quantized network.

    Returns:
        The logic with its emulator.

    Raises:
        DataError: a constant has more digits than alkaid holds exactly.
    """
    return Emulator(
        inputs=network.inputs,
        input_type=network.input_type,
        input_exponents=network.input_exponents,
        output_type=network.output_type,
        logic=tracing.trace(network),
        port_types=network.port_types,
    )


def write_rtl(
    emulator: Emulator,
    device: Device,
    latency_cutoff_ns: float,
    folder: Path,
    *,
    fit_clock: bool = False,
) -> RtlReport:
    """Cut the logic into a pipeline and write Verilog, constraints and vendor scripts.

    The folder holds ``src/`` (Verilog of the kernel, XDC and SDC), ``top/`` (the module around it
    with valid signals, and its AXI4-Stream wrapper), ``sim/`` (a Verilator harness),
    ``build_vivado_prj.tcl``, ``build_quartus_prj.tcl`` and ``ports.json``, which says which bits
    of the buses hold which number.

    Args:
        emulator: the traced logic.
        device: part and clock, for constraints and scripts.
        latency_cutoff_ns: budget of estimated delay for a pipeline stage [ns]; an operation that
            crosses a cut is counted whole in the later stage, so a stage may exceed it.
        folder: where to write; made if it is not there.
        fit_clock: cut shorter stages where one would exceed the clock period less the setup
            uncertainty of the constraints.

    Returns:
        Latency, registers, delay and ports of the pipeline.
    """
    uncertainty_ns = SETUP_UNCERTAINTY * device.clock_period_ns
    longest_ns = device.clock_period_ns - uncertainty_ns if fit_clock else math.inf
    model, cutoff_ns = _pipeline(emulator, device, latency_cutoff_ns, longest_ns, folder)
    model.write()
    # alkaid's own copies of the logic: the emulator's file holds it already, and gzip adds the time
    shutil.rmtree(folder / "model")
    report = RtlReport(
        latency_cycles=int(model.latency),
        ii_cycles=max(int(s.schedule.period) for s in model.fsm.inp_signals),
        register_bits=int(model.reg_bits),
        lut_estimate=float(sum(logic.cost for logic in model.fsm.logic.values())),
        critical_delay_ns_estimate=_critical_delay(model),
        latency_cutoff_ns=cutoff_ns,
        setup_uncertainty_ns=uncertainty_ns,
        input_port=_port(model.fsm.inp_signals),
        output_port=_port(model.fsm.out_signals),
        top_input=_bus("model_inp", emulator.ports),
        top_output=_bus("model_out", (emulator.output_type,) * emulator.logic.shape[1]),
        version=version("alkaid"),
    )
    buses = (report.input_port, report.output_port, report.top_input, report.top_output)
    top.write_top(report.latency_cycles, top.Buses(*buses), folder)
    _write_ports(report, folder / PORTS)
    return report


def _pipeline(
    emulator: Emulator, device: Device, cutoff_ns: float, longest_ns: float, folder: Path
) -> tuple[Any, float]:
    """Return alkaid's pipeline and the budget of its stages, as long as they may be.

    Where no budget keeps every stage within ``longest_ns``, the pipeline with the shortest
    longest stage is returned.
    """
    from alkaid.codegen.rtl import RTLModel

    tried: list[tuple[float, float, Any]] = []
    while True:
        model = RTLModel(
            emulator.logic,
            folder,
            TOP,
            flavor="verilog",
            latency_cutoff=cutoff_ns,
            print_latency=False,
            part_name=device.part,
            clock_period=round(device.clock_period_ns, 6),
            clock_uncertainty=SETUP_UNCERTAINTY,
        )
        delay_ns = _critical_delay(model)
        if delay_ns <= longest_ns:
            return model, cutoff_ns
        tried.append((delay_ns, -cutoff_ns, model))
        cutoff_ns -= _CUTOFF_STEP_NS
        if cutoff_ns < _SHORTEST_CUTOFF_NS:
            _, negative_cutoff_ns, model = min(tried, key=lambda entry: entry[:2])
            return model, -negative_cutoff_ns


def _critical_delay(model: Any) -> float:
    """Return the delay of the longest stage of a pipeline [ns]."""
    return max(_delay(logic) for logic in model.fsm.logic.values())


def _bus(name: str, types: Sequence[FixedPoint]) -> Port:
    return Port(name=name, elements=tuple(fixed_type.bare for fixed_type in types))


def verilog_files(folder: Path) -> tuple[Path, ...]:
    """Return the Verilog files of the kernel, without the top module and simulation wrappers."""
    sources = [*(folder / "src").glob("*.v"), *(folder / "src" / "static").glob("*.v")]
    return tuple(sorted(path for path in sources if path.name != f"{TOP}_wrapper.v"))


def _delay(logic: Any) -> float:
    """Compute the longest path through one pipeline stage [ns], in alkaid's delay model.

    Operations carry the time since the inputs of the whole network; the difference to the latest
    of its operands is an operation's own delay.
    """
    ready: list[float] = []
    for op in logic.ops:
        operands = op.input_ids
        if not operands:
            ready.append(0.0)
            continue
        own = op.latency - max(logic.ops[i].latency for i in operands)
        ready.append(max(ready[i] for i in operands) + max(0.0, own))
    return max((ready[i] for i in logic.out_idxs if i >= 0), default=0.0)


def _port(signals: Sequence[Any]) -> Port:
    (signal,) = signals
    elements = (
        FixedPoint(signed=bool(k), integer=int(i), fraction=int(f), rounding="TRN", overflow="WRAP")
        for k, i, f in signal.precisions
    )
    return Port(name=signal.name, elements=tuple(elements))


def _write_ports(report: RtlReport, path: Path) -> None:
    content = {
        "top": top.TOP,
        "axi4_stream": top.STREAM,
        "kernel": TOP,
        "clock": "clk",
        "reset": "rst",
        "valid": {"input": "in_valid", "output": "out_valid"},
        "latency_cycles": report.latency_cycles,
        "ii_cycles": report.ii_cycles,
        "ports": {
            "input": _describe(report.top_input),
            "output": _describe(report.top_output),
        },
        "kernel_ports": {
            "input": _describe(report.input_port),
            "output": _describe(report.output_port),
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _describe(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "bits": port.bits,
        "elements_from_lowest_bit": [
            {"signed": e.signed, "integer": e.integer, "fraction": e.fraction}
            for e in port.elements
        ],
    }
