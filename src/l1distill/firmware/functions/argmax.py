"""One bit for each of several numbers that tells the largest: argmax, in place of a softmax."""

import numpy as np

from l1distill.firmware.network.fixed_point import BIT
from l1distill.firmware.network.layers import Dense, Quantize, UnaryLayer
from l1distill.firmware.network.value_range import ValueRange

MOST_NUMBERS = 64
"""Numbers that are compared, each with each."""


def argmax_layers(name: str, numbers: ValueRange) -> list[UnaryLayer]:
    """Return the layers that give a 1 for the largest number and a 0 for all others.

    Each is compared with each; of equal ones the first is taken, as ``numpy.argmax`` does.

    Args:
        name: of the last layer, and the beginning of the others' names.
        numbers: the value range of 2 to :data:`MOST_NUMBERS` numbers.
    """
    count = numbers.size
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    identity = np.eye(count)
    # in steps: 1 or more where the one of the pair is larger, or equal and comes first
    differences = np.stack([identity[i] - identity[j] for i, j in pairs], axis=1)
    first = np.array([float(i < j) for i, j in pairs])
    won = np.array([identity[i] for i, _ in pairs])
    all_but_one = np.full(count, 2.0 - count)
    return [
        Dense.exact(f"{name}_pairs", differences * 2.0**numbers.fraction, first),
        Quantize(f"{name}_larger", type=BIT),
        Dense.exact(f"{name}_won", won, all_but_one),
        Quantize(name, type=BIT),
    ]
