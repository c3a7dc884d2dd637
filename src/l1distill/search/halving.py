"""Which candidates go on: successive halving that does not lose the front of loss and cost."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points no other is better than in one number and as good in all others.

    Args:
        points: (n, numbers), less is better; of equal points the first counts.
    """
    values = np.asarray(points, np.float64)
    front = np.ones(len(values), np.bool_)
    for number, point in enumerate(values):
        as_good = (values <= point).all(axis=1)
        better = as_good & (values < point).any(axis=1)
        same = (values == point).all(axis=1)
        front[number] = not better.any() and not same[:number].any()
    return front


def on_front(losses: Sequence[float], costs: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """Tell which candidates no other is better than in loss and cost.

    What costs nothing gives the same answer to everything: it counts only beside its like.

    Args:
        losses: of each, finite.
        costs: of each, none or several numbers.
    """
    places = [place for place, cost in enumerate(costs) if any(cost)] or range(len(costs))
    front = np.zeros(len(costs), np.bool_)
    front[places] = non_dominated([[losses[place], *costs[place]] for place in places])
    return front


def survivors(
    losses: Sequence[float], costs: Sequence[Sequence[float]], factor: float, *, keep_front: bool
) -> list[int]:
    """Choose the candidates that are trained on (Karnin et al., ICML 2013; Li et al., Hyperband).

    Args:
        losses: of each; not finite where it failed.
        costs: of each, none or several numbers.
        factor: one of so many goes on.
        keep_front: whether all that are not dominated in loss and cost go on, too: after one epoch
            the best by loss alone are half of those of the final front.

    Returns:
        Their places, in order.
    """
    good = [number for number, loss in enumerate(losses) if np.isfinite(loss)]
    if not good:
        return []
    kept = max(1, round(len(good) / factor))
    chosen = set(sorted(good, key=lambda number: (losses[number], number))[:kept])
    if keep_front:
        front = on_front([losses[place] for place in good], [costs[place] for place in good])
        chosen |= {place for place, best in zip(good, front, strict=True) if best}
    return sorted(chosen)


def evenly(front: Sequence[T], number: int) -> list[T]:
    """Return so many of those on a front, spread evenly from its one end to the other.

    Args:
        front: in order; where one is wanted, it is the first.
        number: that are wanted; all where there are fewer.
    """
    places = np.linspace(0, len(front) - 1, min(number, len(front))).round().astype(int)
    return [front[place] for place in np.unique(places)]
