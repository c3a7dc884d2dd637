"""Which part of a data set an event belongs to: decided by the event, by nothing else.

Half of the events train, 40% test, 10% validate. The part follows from a hash of the event's own
numbers, so that it does not depend on the order of a file, on the number of shards or on the
machine; appending events moves none, and duplicates always fall into the same part.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 65_536  # events hashed at once: 30 MB of scratch memory
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Split(IntEnum):
    """The parts of a data set, as ``assign`` numbers them."""

    TRAIN = 0
    TEST = 1
    VALIDATION = 2


FRACTIONS = {Split.TRAIN: 0.5, Split.TEST: 0.4, Split.VALIDATION: 0.1}


def hash_events(objects: NDArray[np.floating[Any]]) -> NDArray[np.uint64]:
    """Hashes each event's content with the finalizer of SplitMix64, a word at a time.

    The numbers are rounded to float32 first, the precision that events are generated in, so that
    a file in float64 and one in float32 agree; negative zero counts as zero.

    Args:
        objects: (n_events, 19, 3) pT [GeV], eta, phi [rad], or any shape (n_events, ...).

    Returns:
        (n_events,) well mixed 64-bit words.

    Source:
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    hashes = np.empty(len(objects), dtype=np.uint64)
    for start in range(0, len(objects), _CHUNK):
        block = objects[start : start + _CHUNK]
        # adding zero turns -0.0 into 0.0; the transpose makes each word's column contiguous
        flat = block.reshape(len(block), -1).astype("<f4") + np.float32(0)
        words = np.ascontiguousarray(flat.view("<u4").T)
        if len(words) % 2:
            words = np.concatenate([words, np.zeros_like(words[:1])])
        high = words[1::2].astype(np.uint64)
        high <<= np.uint64(32)
        high |= words[::2]
        state = np.full(len(block), _GOLDEN)
        for column in high:
            state ^= column
            state += _GOLDEN
            _mix(state)
        hashes[start : start + len(block)] = state
    return hashes


def _mix(state: NDArray[np.uint64]) -> None:
    """Mixes 64-bit words in place; every output bit depends on every input bit."""
    state ^= state >> np.uint64(30)
    state *= _MIX_1
    state ^= state >> np.uint64(27)
    state *= _MIX_2
    state ^= state >> np.uint64(31)


def assign(
    objects: NDArray[np.floating[Any]], fractions: Mapping[Split, float] = FRACTIONS
) -> NDArray[np.int8]:
    """Assigns each event to a part of the data set, 50% train, 40% test, 10% validation.

    Args:
        objects: (n_events, 19, 3) pT [GeV], eta, phi [rad], or any shape (n_events, ...).
        fractions: of the parts, for a data set that divides its events otherwise.

    Returns:
        (n_events,) values of ``Split``.
    """
    edges = np.cumsum([fractions[split] for split in Split])[:-1]
    # the upper 53 bits are exact in a float64
    uniform = (hash_events(objects) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(edges, uniform, side="right").astype(np.int8)
