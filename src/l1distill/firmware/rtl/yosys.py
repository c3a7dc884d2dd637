"""Resource counts (LUT, FF, DSP, BRAM) from yosys' ``synth_xilinx``, in a process of its own."""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1distill.core.errors import ToolError
from l1distill.firmware.process import Job, TimeLimit
from l1distill.firmware.rtl.yosys_worker import BESIDE_CARRY

CELLS: dict[str, tuple[str, int]] = {
    **{f"LUT{n}": ("lut", 1) for n in range(1, 7)},
    "INV": ("lut", 1),  # a LUT of its own unless the vendor's mapper absorbs it
    **dict.fromkeys(("SRL16", "SRL16E", "SRLC16E", "SRLC32E", "RAM32X1S"), ("lut", 1)),
    **dict.fromkeys(("RAM64X1S",), ("lut", 1)),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), ("lut", 2)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), ("lut", 4)),
    **dict.fromkeys(("RAM32M16", "RAM64M8", "RAM256X1D", "RAM512X1S"), ("lut", 8)),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE"), ("ff", 1)),
    **{f"{name}_1": ("ff", 1) for name in ("FDRE", "FDSE", "FDCE", "FDPE")},
    **dict.fromkeys(("DSP48E1", "DSP48E2"), ("dsp", 1)),
    **dict.fromkeys(("RAMB18E1", "RAMB18E2"), ("bram_18k", 1)),
    **dict.fromkeys(("RAMB36E1", "RAMB36E2"), ("bram_18k", 2)),
    "CARRY4": ("carry4", 1),
    # wired into a slice beside its LUTs, or nothing at all
    **dict.fromkeys(("MUXF7", "MUXF8", "MUXF9", "GND", "VCC", "$scopeinfo"), ("free", 0)),
}
"""Resource and count of each primitive (UG474 and UG574, CLB user guides)."""


@dataclass(frozen=True)
class YosysCounts:
    """Primitives of the mapped netlist, before any packing or placement."""

    lut: int
    """LUT primitives; two small ones may share one dual-output LUT6."""
    ff: int
    dsp: int
    bram_18k: int
    carry4: int
    version: str
    """The tool's version, such as ``0.70``."""
    lut_beside_carry: int = 0
    """LUTs that carry chains need beside ``lut``; see :mod:`.carry_inputs`."""


class YosysJob:
    """A yosys synthesis that runs in the background until its counts are asked for."""

    def __init__(self, job: Job, stat: Path, top: str, memory_limit_gib: float) -> None:
        """Wrap a job that will write ``stat``; see :func:`yosys_job`."""
        self.job = job
        self._stat = stat
        self._top = top
        self._memory_limit_gib = memory_limit_gib

    def counts(self) -> YosysCounts:
        """Wait for the synthesis and return its counts.

        Raises:
            ToolError: yosys crashed, ran out of time or memory, or its output is not complete.
        """
        try:
            self.job.wait()
        except ToolError as error:
            if "MemoryError" not in str(error):
                raise
            limit = f"{self._memory_limit_gib:g} GiB"
            raise self.job.failure(
                f"needs more memory than {limit}; raise firmware.yosys_memory_limit_gib"
            ) from error
        try:
            text = self._stat.read_text(encoding="utf-8")
        except OSError as error:
            raise self.job.failure("ended without writing its statistics") from error
        try:
            return parse_stat(text, self._top)
        except ValueError as error:
            raise self.job.failure(f"its statistics are not complete: {error}") from error


@contextmanager
def yosys_job(
    sources: Sequence[Path], top: str, family: str, time_limit: TimeLimit, memory_limit_gib: float
) -> Iterator[YosysJob]:
    """Start a synthesis in the background; stop it if it still runs at the end of the block.

    Args:
        sources: the Verilog files.
        top: the top module.
        family: yosys' name of the architecture, such as ``xcup``.
        time_limit: of the whole run.
        memory_limit_gib: address space that yosys may take [GiB].

    Yields:
        The run, which is asked for its counts.
    """
    with tempfile.TemporaryDirectory(prefix="l1distill-yosys-") as name:
        stat = Path(name) / "stat.json"
        task = {
            "sources": [str(path.resolve()) for path in sources],
            "top": top,
            "family": family,
            "stat": str(stat),
            "memory_limit_bytes": int(memory_limit_gib * 2**30),
        }
        command = [sys.executable, "-m", "l1distill.firmware.rtl.yosys_worker", json.dumps(task)]
        with Job("yosys", command, Path(name), time_limit) as job:
            yield YosysJob(job, stat, top, memory_limit_gib)


def parse_stat(text: str, top: str) -> YosysCounts:
    """Parse the output of ``stat -json``.

    Args:
        text: the JSON.
        top: the module that must be in it.

    Returns:
        The counts.

    Raises:
        ValueError: a part is missing, inconsistent, or a cell that is no primitive is left.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        if f"\\{top}" not in content["modules"]:
            raise ValueError(f"module {top} is missing")
        cells: dict[str, int] = content["design"]["num_cells_by_type"]
        total = int(content["design"]["num_cells"])
        creator = str(content["creator"])
        beside_carry = int(content[BESIDE_CARRY])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error
    if sum(cells.values()) != total:
        raise ValueError(f"the types sum to {sum(cells.values())} cells, not {total}")
    unknown = sorted(set(cells) - set(CELLS))
    if unknown:
        raise ValueError(f"cells left that are not in the table of primitives: {unknown}")
    counts = dict.fromkeys(("lut", "ff", "dsp", "bram_18k", "carry4", "free"), 0)
    for name, number in cells.items():
        resource, each = CELLS[name]
        counts[resource] += each * number
    version = re.match(r"Yosys (\S+)", creator)
    if version is None:
        raise ValueError(f"creator {creator!r} is not yosys")
    del counts["free"]
    return YosysCounts(**counts, lut_beside_carry=beside_carry, version=version.group(1))


def synthesize_verilog(
    sources: Sequence[Path], top: str, family: str, time_limit: TimeLimit, memory_limit_gib: float
) -> YosysCounts:
    """Run yosys to its end; see :func:`yosys_job`.

    Raises:
        ToolError: yosys failed.
    """
    with yosys_job(sources, top, family, time_limit, memory_limit_gib) as job:
        return job.counts()
