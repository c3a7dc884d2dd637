"""The firmware's logic as integer operations: what a processor needs to do what the wires do."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from l1distill.core.errors import DataError
from l1distill.firmware.emulator.emulator import Emulator

MAX_BITS = 62
"""An int64 with its sign, and room to drop bits without overflow."""
_BITWISE = ("AND", "OR", "XOR")
_REDUCTIONS = ("NOT", "ANY", "ALL")


class Operation(NamedTuple):
    """One wire: two operands shifted left, a function of them, bits dropped at both ends."""

    kind: str
    a: int = 0
    b: int = 0
    c: int = 0
    """Operands: rows of the program, for ``INPUT`` an input port."""
    left_a: int = 0
    left_b: int = 0
    right: int = 0
    bits: int = 0
    signed: bool = False
    constant: int = 0


class Output(NamedTuple):
    """Which wire an output is, and how its code becomes one of the output type."""

    row: int
    """-1 where the output is always 0."""
    left: int = 0
    right: int = 0
    negative: bool = False


class Program(NamedTuple):
    """What computes the codes of the outputs from those of the input ports."""

    operations: tuple[Operation, ...]
    """Row ``i`` is operation ``i`` of alkaid's logic."""
    outputs: tuple[Output, ...]


class _Wire(NamedTuple):
    """The type of an operation's result."""

    signed: bool
    integer: int
    fraction: int

    @property
    def bits(self) -> int:
        return self.signed + self.integer + self.fraction


def lower(emulator: Emulator) -> Program:
    """Returns the integer program of an emulator's logic.

    Every wire keeps the width that it has in the Verilog, so that what would overflow there
    overflows here.

    Raises:
        DataError: an intermediate result needs more than :data:`MAX_BITS`.
        ValueError: alkaid's logic holds an operation that is not known here.
    """
    logic = emulator.logic
    wires = [_wire(op) for op in logic.ops]
    operations = []
    for op, wire in zip(logic.ops, wires, strict=True):
        if op.opcode == -1:
            fraction = emulator.input_type.fraction - int(logic.inp_shifts[op.data[0]])
            (left,), right = _align([fraction], wire.fraction)
            found = Operation("INPUT", a=int(op.data[0]), left_a=left, right=right)
            _check_width(emulator.input_type.bits + left)
        else:
            found = _lower_one(op, wire, wires)
        operations.append(found._replace(bits=wire.bits, signed=wire.signed))
    outputs = [
        _output(emulator, wires, int(row), int(shift), bool(negative))
        for row, shift, negative in zip(
            logic.out_idxs, logic.out_shifts, logic.out_negs, strict=True
        )
    ]
    return Program(tuple(operations), tuple(outputs))


def _wire(op: Any) -> _Wire:
    signed, integer, fraction = op.qint.kif
    return _Wire(bool(signed), int(integer), int(fraction))


def _lower_one(op: Any, wire: _Wire, wires: Sequence[_Wire]) -> Operation:
    """Lowers an operation on other wires; the opcodes are those of alkaid's IR, version 4."""
    rows = [int(row) for row in op.addr]
    data = [int(value) for value in op.data]
    fractions = [wires[row].fraction for row in rows]
    match op.opcode:
        case -2:
            return _shifted("NEGATE", rows, fractions, wire, wires)
        case 0 | 1:
            kind = "SUBTRACT" if op.opcode else "ADD"
            return _shifted(kind, rows, [fractions[0], fractions[1] - data[0]], wire, wires)
        case 2:
            return _shifted("RELU", rows, fractions, wire, wires)
        case 3:
            return _shifted("SHIFT", rows, [fractions[0] - data[0]], wire, wires)
        case 4:
            constant, fraction = data
            (left, up), right = _align([fractions[0], fraction], wire.fraction)
            _check_width(max(wires[rows[0]].bits + left, constant.bit_length() + 1 + up) + 1)
            return Operation(
                "ADD_CONSTANT", rows[0], left_a=left, right=right, constant=constant << up
            )
        case 5:
            _check_width(data[0].bit_length() + 1)
            return Operation("CONSTANT", constant=data[0])
        case 6:
            *choices, condition = rows
            if wires[condition].bits == 0:  # it is 0, and so is its highest bit
                return _shifted("SHIFT", choices[1:], [fractions[1] - data[0]], wire, wires)
            aligned = [fractions[0], fractions[1] - data[0]]
            return _shifted("SELECT", choices, aligned, wire, wires)._replace(c=condition)
        case 7:
            (left,), right = _align([sum(fractions)], wire.fraction)
            _check_width(sum(wires[row].bits for row in rows) + left)
            return Operation("MULTIPLY", rows[0], rows[1], left_a=left, right=right)
        case 9:
            return Operation(_REDUCTIONS[data[0]], rows[0])
        case 10:
            aligned = [fractions[0], fractions[1] - data[0]]
            return _shifted(_BITWISE[data[1]], rows, aligned, wire, wires)
    raise ValueError(f"alkaid's operation {op.opcode} has no counterpart in integers: {op}")


def _shifted(
    kind: str, rows: Sequence[int], fractions: Sequence[int], wire: _Wire, wires: Sequence[_Wire]
) -> Operation:
    """Returns an operation on one or two operands with their binary points below each other."""
    lefts, right = _align(fractions, wire.fraction)
    widths = [wires[row].bits + left for row, left in zip(rows, lefts, strict=True)]
    _check_width(max(widths) + 1)  # a carry
    a, b = (*rows, 0)[:2]
    left_a, left_b = (*lefts, 0)[:2]
    return Operation(kind, a, b, left_a=left_a, left_b=left_b, right=right)


def _align(fractions: Sequence[int], result: int) -> tuple[list[int], int]:
    """Returns the left shifts of the operands, and the right shift of what comes of them."""
    common = max(*fractions, result)
    return [common - fraction for fraction in fractions], common - result


def _output(
    emulator: Emulator, wires: Sequence[_Wire], row: int, shift: int, negative: bool
) -> Output:
    if row < 0:
        return Output(-1)
    wanted = emulator.output_type.fraction
    (left,), right = _align([wires[row].fraction - shift], wanted)
    _check_width(wires[row].bits + left + 1)
    return Output(row, left, right, negative)


def _check_width(bits: int) -> None:
    if bits > MAX_BITS:
        raise DataError(
            f"the network: an intermediate result takes {bits} bits, more than the {MAX_BITS} of "
            "the emulator in C++; give its weights or activations fewer bits"
        )
