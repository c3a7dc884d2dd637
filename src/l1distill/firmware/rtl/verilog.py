"""RTL through alkaid: distributed arithmetic, one fully unrolled pipeline.

Only the squares of a score are multipliers.
"""

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from l1distill.core.errors import DataError
from l1distill.firmware.devices import Device
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.network import Network
from l1distill.firmware.rtl import tracing

__all__ = ["TOP", "Emulator", "Port", "RtlReport", "trace_network", "verilog_files", "write_rtl"]

TOP = "l1distill"
"""The top module's name."""


class Port(NamedTuple):
    """A bus that carries an array: element 0 in the lowest bits, each of its own width.

    alkaid gives every element the bits that it needs: none to an input that pruning has cut off,
    fewer to an output that cannot reach its type's ends.
    """

    name: str
    elements: tuple[FixedPoint, ...]

    @property
    def bits(self) -> int:
        """The width of the bus."""
        return sum(element.bits for element in self.elements)


class RtlReport(NamedTuple):
    """What alkaid knows about the design it wrote."""

    latency_cycles: int
    """Clock edges from the one that samples the inputs to the one that loads the outputs."""
    ii_cycles: int
    register_bits: int
    lut_estimate: float
    """alkaid's own cost model [LUT]."""
    critical_delay_ns_estimate: float
    """Longest path between two registers in alkaid's delay model, before placement [ns]."""
    input_port: Port
    output_port: Port
    version: str
    """alkaid's version."""


def trace_network(network: Network) -> Emulator:
    """Turns the network into logic: adders, shifts, rounding and clipping.

    Args:
        network: the quantized network.

    Returns:
        The logic with its emulator.

    Raises:
        DataError: the output does not depend on any input, so that there is no logic; or a
            constant has more digits than alkaid holds exactly.
    """
    logic = tracing.trace(network)
    if all(low == high for low, high, _ in logic.out_qint):
        raise DataError(
            "the network's output is the same for every input: nothing to synthesize; train it "
            "anew, or give it more bits"
        )
    return Emulator(
        network.inputs,
        network.input_type,
        network.input_exponents,
        network.output_type,
        logic,
    )


def write_rtl(
    emulator: Emulator, device: Device, latency_cutoff_ns: float, folder: Path
) -> RtlReport:
    """Cuts the logic into a pipeline and writes Verilog, constraints and vendor scripts.

    The folder holds ``src/`` (Verilog, XDC and SDC), ``sim/`` (a Verilator harness),
    ``build_vivado_prj.tcl``, ``build_quartus_prj.tcl`` and ``ports.json``, which says where each
    number lies on the buses.

    Args:
        emulator: the traced logic.
        device: part and clock, for constraints and scripts.
        latency_cutoff_ns: budget of estimated delay for a pipeline stage [ns]; an operation that
            crosses a cut is counted whole in the later stage, so a stage may exceed it.
        folder: where to write; made if it is not there.

    Returns:
        The figures of the pipeline.
    """
    from alkaid.codegen.rtl import RTLModel

    model = RTLModel(
        emulator.logic,
        folder,
        TOP,
        flavor="verilog",
        latency_cutoff=latency_cutoff_ns,
        print_latency=False,
        part_name=device.part,
        clock_period=round(device.clock_period_ns, 6),
    )
    model.write()
    # alkaid's own copies of the logic: emulator.json holds it already, and gzip stamps the time
    shutil.rmtree(folder / "model")
    figures = RtlReport(
        latency_cycles=int(model.latency),
        ii_cycles=max(int(s.schedule.period) for s in model.fsm.inp_signals),
        register_bits=int(model.reg_bits),
        lut_estimate=float(sum(logic.cost for logic in model.fsm.logic.values())),
        critical_delay_ns_estimate=max(_delay(logic) for logic in model.fsm.logic.values()),
        input_port=_port(model.fsm.inp_signals),
        output_port=_port(model.fsm.out_signals),
        version=version("alkaid"),
    )
    _write_ports(figures, folder / "ports.json")
    return figures


def verilog_files(folder: Path) -> tuple[Path, ...]:
    """Returns the Verilog that belongs to the design itself, without simulation wrappers."""
    sources = [*(folder / "src").glob("*.v"), *(folder / "src" / "static").glob("*.v")]
    return tuple(sorted(path for path in sources if path.name != f"{TOP}_wrapper.v"))


def _delay(logic: Any) -> float:
    """Longest path through one pipeline stage [ns], in alkaid's delay model.

    The operations carry the time since the inputs of the whole network; what each adds to the
    latest of its operands is its own delay.
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
    return Port(signal.name, tuple(elements))


def _write_ports(figures: RtlReport, path: Path) -> None:
    content = {
        "top": TOP,
        "clock": "clk",
        "latency_cycles": figures.latency_cycles,
        "ii_cycles": figures.ii_cycles,
        "ports": {
            direction: {
                "name": port.name,
                "bits": port.bits,
                "elements_from_lowest_bit": [
                    {"signed": e.signed, "integer": e.integer, "fraction": e.fraction}
                    for e in port.elements
                ],
            }
            for direction, port in (
                ("input", figures.input_port),
                ("output", figures.output_port),
            )
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
