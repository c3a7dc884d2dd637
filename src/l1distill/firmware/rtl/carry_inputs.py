"""LUTs that feed carry chains and that a netlist does not have: routes through, and copies."""

from collections.abc import Mapping
from typing import Any

BITS = 4
"""Of a ``CARRY4``."""


def luts_beside_carry(module: Mapping[str, Any]) -> int:
    """Count the LUTs that carry chains need beside those of a mapped netlist.

    What selects a carry (``S``) comes from the LUT of the same position in the slice (UG474 and
    UG574). A bit that no LUT makes, as a register's or a constant, takes one as a route through; a
    LUT that feeds several such bits is there once for each.

    Args:
        module: a module of yosys' ``write_json`` after ``synth_xilinx``.

    Returns:
        How many more than the LUT cells of the netlist.
    """
    made, read = set[Any](), set[Any]()
    for cell in module["cells"].values():
        is_lut = cell["type"].startswith("LUT") or cell["type"] == "INV"
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                read.update(bits)
            elif is_lut:
                made.update(bits)
    for port in module["ports"].values():
        read.update(port["bits"])
    selects: list[Any] = []
    for cell in module["cells"].values():
        if cell["type"] != "CARRY4":
            continue
        wires = cell["connections"]
        used = [i for i in range(BITS) if wires["O"][i] in read or wires["CO"][i] in read]
        selects += wires["S"][: max(used, default=-1) + 1]
    return len(selects) - len(made.intersection(selects))
