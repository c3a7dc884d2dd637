"""The port table of a firmware: what stands where on the buses of its top module, in its order."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from l1distill.firmware.emulator import cmssw
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.results.quantity import Quantity
from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.verilog import RtlReport

FORMAT = "l1distill-metadata-1"


@dataclass(frozen=True, kw_only=True)
class PortRow:
    """One number on a bus of the top module."""

    index: int
    name: str
    slot: str
    feature: str
    bits: int
    lowest_bit: int
    """Place of its lowest bit on the bus."""
    type: str
    """Fixed-point type, such as ``fixed<8,4>``."""
    value_of_1: float
    """Value of the integer code 1, in ``unit``."""
    unit: str
    conversion: str


def port_rows(
    quantities: Sequence[Quantity],
    port: Port,
    types: Sequence[FixedPoint],
    steps: Sequence[float],
) -> list[PortRow]:
    """Return the rows of a bus.

    Args:
        quantities: the meaning of each element.
        port: the bus.
        types: of each element.
        steps: the value of code 1 of each element at the network's input or output.

    Raises:
        ValueError: there is another number of quantities than elements.
    """
    rows = zip(quantities, port.elements, port.lowest_bits, types, steps, strict=True)
    return [
        PortRow(
            index=index,
            name=quantity.name,
            slot=quantity.slot,
            feature=quantity.feature,
            bits=element.bits,
            lowest_bit=lowest,
            type=kind.hls,
            value_of_1=quantity.scale * step,
            unit=quantity.unit,
            conversion=quantity.conversion,
        )
        for index, (quantity, element, lowest, kind, step) in enumerate(rows)
    ]


def render_metadata(
    title: str,
    inputs: Sequence[PortRow],
    outputs: Sequence[PortRow],
    rtl: RtlReport,
    emulator: Emulator,
) -> str:
    """Return the text of ``metadata.json``, which fixes the order of objects and features.

    Args:
        title: of the firmware.
        inputs: rows of the input bus.
        outputs: rows of the output bus.
        rtl: gives the latency.
        emulator: gives the types of the library for CMSSW.
    """
    content = {
        "format": FORMAT,
        "title": title,
        "objects": list(dict.fromkeys(row.slot for row in inputs if row.slot)),
        "features": list(dict.fromkeys(row.feature for row in inputs if row.slot)),
        "inputs": [asdict(row) for row in inputs],
        "outputs": [asdict(row) for row in outputs],
        "latency_cycles": rtl.latency_cycles,
        "ii_cycles": rtl.ii_cycles,
        "cmssw": {
            "library": cmssw.LIBRARY,
            "input_type": cmssw.input_type(emulator),
            "result_type": cmssw.result_type(emulator),
        },
    }
    return json.dumps(content, indent=1) + "\n"
