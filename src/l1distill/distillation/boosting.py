"""Gradient boosting on a fixed-point grid: each tree learns what the rounded ones before it left.

scikit-learn grows the trees: its ``DecisionTreeRegressor`` documents the arrays of a grown tree,
which firmware needs and its boosted ensembles by histogram keep private. The loop around it is our
own because leaf values are rounded and clipped to their type before the next tree is grown, which
then corrects that as well, and because the validation split decides how many trees are kept. With
the squared error, each tree is fitted to the differences from the targets (Friedman, Annals of
Statistics 29, 2001, algorithm 2).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.models.trees import TreesSettings
from l1distill.training.fit import OnEpoch, check_arrays, ignore_epoch
from l1distill.training.history import History

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CompleteTree:
    """A tree whose branches are all equally long: what ends early goes on with equal leaves.

    Attributes:
        features: (2**depth - 1,) of each node the feature that it compares; node ``k`` leads to
            ``2 k + 1``, or to ``2 k + 2`` where the feature is larger than the threshold.
        thresholds: (2**depth - 1,) numbers.
        leaves: (2**depth,) values from left to right.
        compares: how many nodes compare anything.
    """

    features: NDArray[np.int32]
    thresholds: Array
    leaves: Array
    compares: int


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Boosted trees, each output's in turn.

    Attributes:
        trees: tree ``t`` belongs to output ``t % outputs``.
        offset: (outputs,) what the trees of each output are added to.
        history: mean squared error after each round, of one tree for each output.
    """

    trees: tuple[CompleteTree, ...]
    offset: Array
    history: History


@dataclass(frozen=True, kw_only=True)
class LeafGrid:
    """The fixed-point type of leaf values: ``bits`` bits with a sign, and its step."""

    bits: int
    step: float

    def round(self, values: Array) -> Array:
        """Round to the nearest value, and clip to the range."""
        most = 2.0 ** (self.bits - 1)
        result: Array = np.clip(np.rint(values / self.step), -most, most - 1) * self.step
        return result


def leaf_grid(values: Array, bits: int) -> LeafGrid:
    """Return the finest grid of so many bits that holds values without clipping them."""
    largest = float(np.abs(values).max()) or 1.0
    # half a step more, for what rounds up
    power = np.ceil(np.log2(largest * (1 + 2.0**-bits)))
    return LeafGrid(bits=bits, step=float(2.0 ** (power + 1 - bits)))


def complete_tree(
    grown: Any, values: Array, depth: int, step: float, beyond: float
) -> CompleteTree:
    """Return a tree of scikit-learn with equally long branches, and thresholds on a grid.

    Args:
        grown: its ``tree_``.
        values: of each of its nodes, of which those of the leaves are taken.
        depth: comparisons from the first node to a leaf.
        step: of the grid of the features: between two of its numbers all thresholds are equal.
        beyond: a threshold that no feature exceeds.
    """
    features = np.zeros(2**depth - 1, dtype=np.int32)
    thresholds = np.full(2**depth - 1, beyond)
    compares = 0
    level = [0]
    for number in range(depth):
        following = []
        for place, node in enumerate(level, 2**number - 1):
            left, right = grown.children_left[node], grown.children_right[node]
            if left == right:  # a leaf
                following += [node, node]
                continue
            features[place] = grown.feature[node]
            thresholds[place] = np.floor(grown.threshold[node] / step) * step
            compares += 1
            following += [left, right]
        level = following
    return CompleteTree(
        features=features, thresholds=thresholds, leaves=values[level], compares=compares
    )


def boost(
    train: tuple[NDArray[Any], NDArray[Any]],
    validation: tuple[NDArray[Any], NDArray[Any]],
    settings: TreesSettings,
    *,
    step: float,
    beyond: float,
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
) -> Ensemble:
    """Grow trees until the validation split is not told better any more.

    Args:
        train: features (n, features) on the grid of the inputs, and targets (n, outputs).
        validation: the same of the items that decide how many trees are kept.
        settings: number and size of the trees, learning rate, bits of a leaf value.
        step: of the grid of the features.
        beyond: a number on it that no feature exceeds.
        seed: of the features and items that a tree is shown.
        on_epoch: called after each round with its number and errors.

    Returns:
        The trees up to the round with the least validation error.

    Raises:
        ValueError: features and targets do not fit together, or there are none.
    """
    from sklearn.tree import DecisionTreeRegressor

    check_arrays(train, validation)
    features, held_out = (np.asarray(part[0], dtype=np.float32) for part in (train, validation))
    targets, wanted = (np.asarray(part[1], dtype=np.float64) for part in (train, validation))
    outputs = targets.shape[1]
    rng = np.random.default_rng(seed)
    offset, answers, held_answers = np.zeros(outputs), np.zeros_like(targets), np.zeros_like(wanted)
    grid: LeafGrid | None = None
    trees: list[CompleteTree] = []
    history = History()
    best = 0
    for number in range(settings.trees):
        for output in range(outputs):
            rows = _shown(rng, len(features), settings.sampled)
            learner = DecisionTreeRegressor(
                max_depth=settings.depth,
                min_samples_leaf=min(settings.min_events_leaf, max(len(rows) // 2, 1)),
                max_features=settings.compared_share,
                random_state=int(rng.integers(2**31)),
            )
            if not number:
                offset[output] = targets[:, output].mean()
            rest = targets[:, output] - offset[output] - answers[:, output]
            learner.fit(features[rows], rest[rows])
            values = settings.learning_rate * learner.tree_.value[:, 0, 0]
            if grid is None:
                grid = leaf_grid(values, settings.leaf_bits)
            if not number:  # the first trees learn what rounding it leaves
                offset[output] = np.rint(offset[output] / grid.step) * grid.step
            values = grid.round(values)
            trees.append(complete_tree(learner.tree_, values, settings.depth, step, beyond))
            answers[:, output] += values[learner.apply(features)]
            held_answers[:, output] += values[learner.apply(held_out)]
        error = float(np.mean((answers + offset - targets) ** 2))
        held_error = float(np.mean((held_answers + offset - wanted) ** 2))
        history.loss.append(error)
        history.validation_loss.append(held_error)
        on_epoch(number, {"loss": error, "val_loss": held_error})
        if held_error < history.validation_loss[best]:
            best = number
        if number - best >= settings.patience:
            break
    kept = trees[: (best + 1) * outputs]
    return Ensemble(trees=tuple(kept), offset=offset, history=history)


def _shown(rng: np.random.Generator, items: int, share: float) -> NDArray[np.int64]:
    """Return the rows of the items that a tree is shown, without repetition."""
    if share == 1.0:
        return np.arange(items)
    return np.sort(rng.choice(items, max(1, round(share * items)), replace=False))
