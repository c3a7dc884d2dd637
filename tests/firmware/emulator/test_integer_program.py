from dataclasses import replace
from typing import Any

import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.emulator.integer_program import MAX_BITS, lower
from l1distill.firmware.rtl.verilog import trace_network
from tests.firmware.emulators import small_network


def test_every_operation_has_a_row_of_the_same_width() -> None:
    emulator = trace_network(small_network())
    program = lower(emulator)
    assert len(program.operations) == len(emulator.logic.ops)
    for row, (operation, op) in enumerate(zip(program.operations, emulator.logic.ops, strict=True)):
        assert operation.bits == sum(op.qint.kif)
        assert min(operation.left_a, operation.left_b, operation.right) >= 0
        operands = max(operation.a, operation.b, operation.c)
        assert operation.name == "INPUT" or operands < max(row, 1)
    assert [output.row for output in program.outputs] == list(emulator.logic.out_idxs)


def test_numbers_that_do_not_fit_are_refused() -> None:
    emulator = trace_network(small_network())
    ops = list(emulator.logic.ops)
    at = next(i for i, op in enumerate(ops) if op.opcode == 0)

    def shifted(bits: int) -> Emulator:
        changed = [*ops[:at], ops[at]._replace(data=(bits,)), *ops[at + 1 :]]
        return replace(emulator, logic=emulator.logic._replace(ops=changed))

    assert lower(shifted(MAX_BITS - 20)).operations[at].left_b > 0
    with pytest.raises(DataError, match=r"takes \d\d bits, more than the 62 .* fewer bits"):
        lower(shifted(MAX_BITS))


def test_an_unknown_operation_is_no_silent_zero() -> None:
    emulator = trace_network(small_network())
    ops: list[Any] = list(emulator.logic.ops)
    ops[-1] = ops[-1]._replace(opcode=99)
    with pytest.raises(ValueError, match="operation 99 has no counterpart"):
        lower(replace(emulator, logic=emulator.logic._replace(ops=ops)))
