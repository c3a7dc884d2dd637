"""What a student learns from: the training items and, behind them, pseudo-items without a truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHOICE = 1  # one more word of the seed, so that pseudo-items do not follow from the choice
Make = Callable[[NDArray[Any], int, np.random.Generator], NDArray[Any]]
"""From items (n, ...), a number and random numbers to as many pseudo-items."""


@dataclass(frozen=True, kw_only=True)
class LearnedItems:
    """Items of a split, real ones first.

    Attributes:
        items: (n, ...) raw items.
        arrays: what a teacher's loss takes of them, (n, ...) each; of a pseudo-item, whose truth
            nobody knows, that of a real one.
        pseudo: how many of the last items are pseudo-items.
        rows: which items of the split the real ones are, ascending; None: all.
    """

    items: NDArray[Any]
    arrays: Sequence[NDArray[Any]]
    pseudo: int = 0
    rows: NDArray[np.int64] | None = None

    @property
    def real(self) -> slice:
        """The items that are none."""
        return slice(0, len(self.items) - self.pseudo)


def choose_rows(items: int, limit: int | None, seed: Sequence[int]) -> NDArray[np.int64] | None:
    """Choose items by chance, as many as a limit allows.

    Args:
        items: there are.
        limit: at most; None: all.
        seed: of the choice.

    Returns:
        Their rows, ascending; None where all may stay.
    """
    if limit is None or items <= limit:
        return None
    chosen = np.random.default_rng([*seed, _CHOICE]).choice(items, limit, replace=False)
    return np.sort(chosen)


def learned_items(
    arrays: Sequence[NDArray[Any]],
    augmentation: float,
    make: Make | None,
    seed: Sequence[int],
    limit: int | None = None,
) -> LearnedItems:
    """Put pseudo-items behind items.

    Args:
        arrays: what the teacher's loss takes of the items, (n, ...) each; the items first.
        augmentation: pseudo-items an item; 0: none, and ``make`` is not called.
        make: makes them.
        seed: of the random numbers.
        limit: items to choose, at most; None: all.
    """
    rows = choose_rows(len(arrays[0]), limit, seed)
    if rows is not None:
        arrays = [array[rows] for array in arrays]
    items = arrays[0]
    number = round(augmentation * len(items))
    if not number or make is None:
        return LearnedItems(items=items, arrays=arrays, rows=rows)
    made = make(items, number, np.random.default_rng(seed))
    others = [
        np.concatenate([array, np.resize(array, (number, *array.shape[1:]))])
        for array in arrays[1:]
    ]
    together = np.concatenate([items, made])
    return LearnedItems(items=together, arrays=[together, *others], pseudo=number, rows=rows)


def truth_weights(items: int, pseudo: int) -> NDArray[np.float32]:
    """Return what a loss against the truth is multiplied by, (items,): 0 for pseudo-items.

    Real items have the weight that keeps the mean over all what it is over them alone.
    """
    weights = np.zeros(items, np.float32)
    weights[: items - pseudo] = items / max(items - pseudo, 1)
    return weights
