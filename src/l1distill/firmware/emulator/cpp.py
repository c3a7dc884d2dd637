"""The emulator as C++ sources that need only make and a compiler, and its library from Python."""

import ctypes
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.firmware.compiler import find_compiler, find_make
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.emulator.integer_program import Operation, lower
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.process import TimeLimit, run

SOURCES = ("Makefile", "l1distill_emulator.h", "l1distill_emulator.cpp", "replay.cpp")
"""The same for every network; what differs between networks is in :data:`LOGIC`."""
LOGIC = "logic.h"
LIBRARY = "libl1distill_emulator.so"
PRODUCTS = (LIBRARY, "replay", "l1distill_emulator.o")
"""What the Makefile builds beside the sources."""


def write_cpp_emulator(emulator: Emulator, folder: Path) -> None:
    """Write the C++ sources of an emulator, the same bytes for the same logic.

    Args:
        emulator: holds the logic that the Verilog is written from.
        folder: where to write; made if it is not there.

    Raises:
        DataError: an intermediate result has too many bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = resources.files("l1distill.firmware.emulator") / "sources"
    for name in SOURCES:
        (folder / name).write_bytes((sources / name).read_bytes())
    (folder / LOGIC).write_text(_logic(emulator), encoding="utf-8")


def _logic(emulator: Emulator) -> str:
    program = lower(emulator)
    input_type = emulator.input_type
    outputs = (
        f"{{{output.row}, {output.left}, {output.right}, {_flag(output.negative)}}}"
        for output in program.outputs
    )
    return "\n".join(
        [
            "// Written by l1distill; row i of PROGRAM is operation i of ../emulator.json.",
            f"const int INPUTS = {emulator.inputs}, OUTPUTS = {len(program.outputs)};",
            f"const int OPERATIONS = {len(program.operations)};",
            "",
            f"// {input_type.hls}",
            f"const int INPUT_BITS = {input_type.bits}, INPUT_FRACTION = {input_type.fraction};",
            f"const bool INPUT_IS_SIGNED = {_flag(input_type.signed)};",
            "// exponent, coarser, bits, is_signed, rounding, wraps, low, high",
            "const Port PORTS[INPUTS] = {",
            *_rows(
                _port(port, exponent, input_type.fraction - port.fraction)
                for port, exponent in zip(emulator.ports, emulator.exponents, strict=True)
            ),
            "};",
            "",
            f"// {emulator.output_type.hls}",
            f"const int OUTPUT_FRACTION = {emulator.output_type.fraction};",
            "const Output RESULTS[OUTPUTS] = {",
            *_rows(outputs),
            "};",
            "",
            "// Entries of all tables.",
            f"const int64_t TABLES[] = {{{', '.join(map(_number, program.tables or (0,)))}}};",
            "",
            "// kind, a, b, c, left_a, left_b, right, bits, is_signed, constant",
            "const Operation PROGRAM[OPERATIONS] = {",
            *_rows(_row(operation) for operation in program.operations),
            "};",
            "",
        ]
    )


def _row(op: Operation) -> str:
    numbers = (op.a, op.b, op.c, op.left_a, op.left_b, op.right, op.bits)
    return (
        f"{{{op.name}, {', '.join(map(str, numbers))}, {_flag(op.signed)}, {_number(op.constant)}}}"
    )


def _port(port: FixedPoint, exponent: int, coarser: int) -> str:
    low, high = (round(end / port.step) for end in (port.low, port.high))
    wraps = _flag(port.overflow == "WRAP")
    return (
        f"{{{exponent}, {coarser}, {port.bits}, {_flag(port.signed)}, {port.rounding}, {wraps}, "
        f"{low}, {high}}}"
    )


def _number(value: int) -> str:
    return f"{value}LL" if value else "0"


def _rows(rows: Iterable[str]) -> Iterable[str]:
    return (f"    {row}," for row in rows)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def compile_cpp_emulator(folder: Path, time_limit: TimeLimit) -> str:
    """Compile the emulator in its folder: the library and the program ``replay``.

    Args:
        folder: that :func:`write_cpp_emulator` wrote.
        time_limit: of the build.

    Returns:
        The path of the compiler.

    Raises:
        ExitStatusError: the sources do not compile.
        ToolError: make or the compiler is missing, or the time limit passed.
    """
    make, compiler = find_make(), find_compiler()
    run("C++ emulator", [make, "--silent", "all", f"CXX={compiler}"], folder, time_limit)
    return compiler


def predict(library: Path, x: ArrayLike) -> NDArray[np.float64]:
    """Compute events with a compiled emulator, through its C interface.

    Args:
        library: path of :data:`LIBRARY`, as make built it.
        x: (n, inputs) inputs of the network.

    Returns:
        (n, outputs) values of the output type.

    Raises:
        ValueError: ``x`` has another shape.
    """
    loaded = ctypes.CDLL(str(library.resolve()))
    loaded.l1distill_predict.restype = None
    doubles = ctypes.POINTER(ctypes.c_double)
    loaded.l1distill_predict.argtypes = [doubles, doubles, ctypes.c_size_t]
    events = np.ascontiguousarray(x, dtype=np.float64)
    if events.ndim != 2 or events.shape[1] != loaded.l1distill_inputs():
        raise ValueError(
            f"x has shape {events.shape}, the firmware takes (n, {loaded.l1distill_inputs()})"
        )
    result = np.empty((len(events), loaded.l1distill_outputs()))
    loaded.l1distill_predict(
        events.ctypes.data_as(doubles), result.ctypes.data_as(doubles), len(events)
    )
    return result
