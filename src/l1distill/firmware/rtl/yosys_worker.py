"""Child process that runs yosys, so that a crash or lack of memory ends this process alone."""

import json
import re
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from l1distill.firmware.rtl.carry_inputs import luts_beside_carry

BESIDE_CARRY = "luts_beside_carry"
"""What is added to yosys' own statistics."""
BLOCK_MODELS = r"module (?:DSP48E2|RAMB18E2|RAMB36E2|URAM288)\b(?s:.*?)\nendmodule\n"
"""Matches what synthesis may ask for of the 328 models without a function that yosys has."""


def main(task: dict[str, Any]) -> None:
    """Synthesize ``task["sources"]`` and write the statistics to ``task["stat"]``.

    Args:
        task: ``sources``, ``top``, ``family``, ``stat`` and ``memory_limit_bytes``.
    """
    limit = task["memory_limit_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    from pyosys import libyosys

    design = libyosys.Design()
    stat = Path(task["stat"])
    part = stat.with_suffix(".part")
    names = " ".join(f'"{source}"' for source in task["sources"])
    libyosys.run_pass(f"read_verilog {names}", design)
    # without abc9's last step, a search for don't-cares: 28 s instead of 47 s for 14,000 LUTs,
    # whose number it moved by less than 0.5% (yosys 0.70, two networks)
    libyosys.run_pass("scratchpad -set abc9.nomfs 1", design)
    _synthesize(libyosys, design, task["top"], task["family"])
    libyosys.run_pass(f'tee -q -o "{part}" stat -json', design)
    counts = json.loads(part.read_text(encoding="utf-8"))
    netlist = stat.with_suffix(".netlist")
    libyosys.run_pass(f'write_json "{netlist}"', design)
    module = json.loads(netlist.read_text(encoding="utf-8"))["modules"][task["top"]]
    counts[BESIDE_CARRY] = luts_beside_carry(module)
    part.write_text(json.dumps(counts), encoding="utf-8")
    part.replace(stat)


def _synthesize(libyosys: Any, design: Any, top: str, family: str) -> None:
    """Run the steps of ``synth_xilinx``, but for those that find nothing to do in this design.

    All models of primitives, which are checked after each pass, and the patterns of memories take
    3 CPU seconds; a network of adders has use for few of the ones and none of the others.
    """

    def run(steps: str) -> None:
        # out of context: pads and clock buffers belong to the shell around the kernel
        options = f"-family {family} -top {top} -flatten -noiopad -noclkbuf"
        libyosys.run_pass(f"synth_xilinx {options} -run {steps}", design)

    # what the step "begin" does, without the models that no pass can ask for
    libyosys.run_pass("read_verilog -lib -specify +/xilinx/cells_sim.v", design)
    with tempfile.NamedTemporaryFile("w", suffix=".v") as models:
        share = Path(libyosys.__file__).parent / "share"
        text = (share / "xilinx/cells_xtra.v").read_text(encoding="utf-8")
        models.writelines(found.group() for found in re.finditer(BLOCK_MODELS, text))
        models.flush()
        libyosys.run_pass(f'read_verilog -lib "{models.name}"', design)
    libyosys.run_pass(f"hierarchy -check -top {top}", design)
    run("prepare:map_memory")
    if _has_memories(design):
        run("map_memory:map_ffram")
    run("map_ffram:")


def _has_memories(design: Any) -> bool:
    """Whether a module of a design has a memory."""
    return any(
        cell.type.str().startswith("$mem")
        for module in design.all_selected_modules()
        for cell in module.selected_cells()
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
