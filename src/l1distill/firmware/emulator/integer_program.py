"""Lowering of the firmware's logic to integer operations with shifts, for the C++ emulator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.emulator.emulator import Emulator

MAX_BITS = 62
"""Widest intermediate result: an int64 has room for its sign, and to drop bits without overflow."""
_BITWISE = ("AND", "OR", "XOR")
_REDUCTIONS = ("NOT", "ANY", "ALL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One wire: two operands shifted left, a function of them, bits dropped at both ends."""

    name: str
    """Of the function, such as ``ADD``."""
    a: int = 0
    b: int = 0
    c: int = 0
    """Operands: rows of the program, an input port for ``INPUT``."""
    left_a: int = 0
    left_b: int = 0
    right: int = 0
    bits: int = 0
    signed: bool = False
    constant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The wire of an output, and how its code becomes one of the output type."""

    row: int
    """-1 where the output is always 0."""
    left: int = 0
    right: int = 0
    negative: bool = False


@dataclass(frozen=True)
class Program:
    """Operations that compute the codes of the outputs from those of the input ports."""

    operations: tuple[Operation, ...]
    """Row ``i`` is operation ``i`` of alkaid's logic."""
    outputs: tuple[Output, ...]
    tables: tuple[int, ...] = ()
    """The entries of all tables, one after the other."""


@dataclass(frozen=True, slots=True)
class _Wire:
    """The type of an operation's result."""

    signed: bool
    integer: int
    fraction: int

    @property
    def bits(self) -> int:
        return self.signed + self.integer + self.fraction


def lower(emulator: Emulator) -> Program:
    """Lower an emulator's logic to an integer program.

    Every wire keeps the width that it has in the Verilog, so that what would overflow there
    overflows here.

    Raises:
        DataError: an intermediate result takes more bits than :data:`MAX_BITS`.
        ValueError: alkaid's logic holds an operation that is not known here.
    """
    logic = emulator.logic
    wires = [_wire(op) for op in logic.ops]
    operations = []
    tables = _Tables()
    for op, wire in zip(logic.ops, wires, strict=True):
        if op.opcode == -1:
            fraction = emulator.input_type.fraction - int(logic.inp_shifts[op.data[0]])
            (left,), right = _align([fraction], wire.fraction)
            operation = Operation(name="INPUT", a=int(op.data[0]), left_a=left, right=right)
            _check_width(emulator.input_type.bits + left)
        elif op.opcode == 8:
            address = int(op.addr[0])
            entries = logic.lookup_tables[op.data[0]].padded_table(logic.ops[address].qint)
            operation = Operation(name="TABLE", a=address, constant=tables.start_of(entries))
        else:
            operation = _lower_one(op, wire, wires)
        operations.append(replace(operation, bits=wire.bits, signed=wire.signed))
    outputs = [
        _output(emulator, wires, int(row), int(shift), bool(negative))
        for row, shift, negative in zip(
            logic.out_idxs, logic.out_shifts, logic.out_negs, strict=True
        )
    ]
    return Program(
        operations=tuple(operations), outputs=tuple(outputs), tables=tuple(tables.entries)
    )


class _Tables:
    """Tables one after the other, each once."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self._starts: dict[tuple[int, ...], int] = {}

    def start_of(self, table: NDArray[np.float64]) -> int:
        """Return where a table starts; NaN, which no event meets, becomes 0."""
        entries = tuple(int(entry) for entry in np.nan_to_num(table))
        if entries not in self._starts:
            self._starts[entries] = len(self.entries)
            self.entries.extend(entries)
        return self._starts[entries]


def _wire(op: Any) -> _Wire:
    signed, integer, fraction = op.qint.kif
    return _Wire(bool(signed), int(integer), int(fraction))


def _lower_one(op: Any, wire: _Wire, wires: Sequence[_Wire]) -> Operation:
    """Lower an operation on other wires; the opcodes are those of alkaid's IR, version 4."""
    rows = [int(row) for row in op.addr]
    data = [int(value) for value in op.data]
    fractions = [wires[row].fraction for row in rows]
    match op.opcode:
        case -2:
            return _shifted("NEGATE", rows, fractions, wire, wires)
        case 0 | 1:
            name = "SUBTRACT" if op.opcode else "ADD"
            return _shifted(name, rows, [fractions[0], fractions[1] - data[0]], wire, wires)
        case 2:
            return _shifted("RELU", rows, fractions, wire, wires)
        case 3:
            return _shifted("SHIFT", rows, [fractions[0] - data[0]], wire, wires)
        case 4:
            constant, fraction = data
            (left, up), right = _align([fractions[0], fraction], wire.fraction)
            _check_width(max(wires[rows[0]].bits + left, constant.bit_length() + 1 + up) + 1)
            return Operation(
                name="ADD_CONSTANT", a=rows[0], left_a=left, right=right, constant=constant << up
            )
        case 5:
            _check_width(data[0].bit_length() + 1)
            return Operation(name="CONSTANT", constant=data[0])
        case 6:
            *choices, condition = rows
            if wires[condition].bits == 0:  # it is 0, and so is its highest bit
                return _shifted("SHIFT", choices[1:], [fractions[1] - data[0]], wire, wires)
            aligned = [fractions[0], fractions[1] - data[0]]
            return replace(_shifted("SELECT", choices, aligned, wire, wires), c=condition)
        case 7:
            (left,), right = _align([sum(fractions)], wire.fraction)
            _check_width(sum(wires[row].bits for row in rows) + left)
            return Operation(name="MULTIPLY", a=rows[0], b=rows[1], left_a=left, right=right)
        case 9:
            return Operation(name=_REDUCTIONS[data[0]], a=rows[0])
        case 10:
            aligned = [fractions[0], fractions[1] - data[0]]
            return _shifted(_BITWISE[data[1]], rows, aligned, wire, wires)
    raise ValueError(f"alkaid's operation {op.opcode} has no counterpart in integers: {op}")


def _shifted(
    name: str, rows: Sequence[int], fractions: Sequence[int], wire: _Wire, wires: Sequence[_Wire]
) -> Operation:
    """Return an operation on one or two operands with aligned binary points."""
    lefts, right = _align(fractions, wire.fraction)
    widths = [wires[row].bits + left for row, left in zip(rows, lefts, strict=True)]
    _check_width(max(widths) + 1)  # a carry
    a, b = (*rows, 0)[:2]
    left_a, left_b = (*lefts, 0)[:2]
    return Operation(name=name, a=a, b=b, left_a=left_a, left_b=left_b, right=right)


def _align(fractions: Sequence[int], result: int) -> tuple[list[int], int]:
    """Return the left shifts of the operands, and the right shift of their result."""
    common = max(*fractions, result)
    return [common - fraction for fraction in fractions], common - result


def _output(
    emulator: Emulator, wires: Sequence[_Wire], row: int, shift: int, negative: bool
) -> Output:
    if row < 0:
        return Output(row=-1)
    (left,), right = _align([wires[row].fraction - shift], emulator.output_type.fraction)
    _check_width(wires[row].bits + left + 1)
    return Output(row=row, left=left, right=right, negative=negative)


def _check_width(bits: int) -> None:
    if bits > MAX_BITS:
        raise DataError(
            f"the network: an intermediate result takes {bits} bits, more than the {MAX_BITS} of "
            "the emulator in C++; give its weights or activations fewer bits"
        )
