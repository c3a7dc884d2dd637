"""Test vectors as text: integer codes for people, bus words for any Verilog simulator."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.rtl.verilog import Port


def write_codes(path: Path, values: NDArray[np.float64], kind: FixedPoint, what: str) -> None:
    """Writes one event a line, as integers in units of ``kind.step``.

    Args:
        path: the file.
        values: (n, m) numbers of type ``kind``.
        kind: their type.
        what: said in the first line.
    """
    first = f"# {what}: {kind.hls}, value = integer * {kind.step:g}\n"
    lines = (" ".join(map(str, row)) for row in kind.codes(values).tolist())
    path.write_text(first + "\n".join(lines) + "\n", encoding="utf-8")


def pack(port: Port, values: NDArray[np.float64]) -> list[str]:
    """Packs events into bus words.

    Args:
        port: the bus.
        values: (n, len(port.elements)) numbers, each of its element's type.

    Returns:
        One hexadecimal word an event, as wide as the bus.
    """
    columns = [element.codes(values[:, i]) for i, element in enumerate(port.elements)]
    digits = (port.bits + 3) // 4
    words = []
    for event in range(len(values)):
        word = offset = 0
        for element, column in zip(port.elements, columns, strict=True):
            word |= (int(column[event]) & ((1 << element.bits) - 1)) << offset
            offset += element.bits
        words.append(f"{word:0{digits}x}")
    return words


def unpack(port: Port, words: Sequence[str]) -> NDArray[np.float64]:
    """Unpacks bus words; a word with undefined bits becomes NaN.

    Args:
        port: the bus.
        words: hexadecimal words as a simulator prints them.

    Returns:
        (n, len(port.elements)) numbers.
    """
    values = np.full((len(words), len(port.elements)), np.nan)
    for event, text in enumerate(words):
        if set(text.lower()) - set("0123456789abcdef"):
            continue
        word = int(text, 16)
        for i, element in enumerate(port.elements):
            code = word & ((1 << element.bits) - 1)
            word >>= element.bits
            if element.signed and code >> (element.bits - 1):
                code -= 1 << element.bits
            values[event, i] = code * element.step
    return values
