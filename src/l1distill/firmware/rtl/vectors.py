"""Test vectors as text: integer codes, and bus words for any Verilog simulator."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.rtl.port import Port


def format_codes(values: NDArray[np.float64], fixed_type: FixedPoint, title: str) -> str:
    """Format one event a line, as integers in units of ``fixed_type.step``.

    Args:
        values: (n, m) numbers of type ``fixed_type``.
        fixed_type: their type.
        title: named in the first line, a comment.
    """
    first = f"# {title}: {fixed_type.hls}, value = integer * {fixed_type.step:g}\n"
    lines = (" ".join(map(str, row)) for row in fixed_type.codes(values).tolist())
    return first + "\n".join(lines) + "\n"


def format_words(port: Port, values: NDArray[np.float64]) -> str:
    """Format one event a line, as the hexadecimal words of :func:`pack`."""
    return "\n".join(pack(port, values)) + "\n"


def pack(port: Port, values: NDArray[np.float64]) -> list[str]:
    """Pack events into bus words.

    Args:
        port: the bus.
        values: (n, len(port.elements)) numbers, each of its element's type.

    Returns:
        One hexadecimal word for each event, as wide as the bus.
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
    """Unpack bus words; a word with undefined bits becomes NaN.

    Args:
        port: the bus.
        words: hexadecimal words as a simulator prints them.

    Returns:
        (n, len(port.elements)) numbers.
    """
    values = np.full((len(words), len(port.elements)), np.nan)
    if port.bits == 0:  # whatever a simulator prints: all these numbers are always zero
        values[:] = 0.0
        return values
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
