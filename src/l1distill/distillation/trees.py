"""Offline distillation into decision trees: they are boosted to what a trained teacher answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.answers_alone import Demand, check_answers_alone
from l1distill.distillation.boosting import Ensemble, boost
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.models.students import OUTPUT_LAYER
from l1distill.models.trees import TreesSettings, build_trees, compared_numbers
from l1distill.training.fit import OnEpoch, ignore_epoch


@dataclass(frozen=True, kw_only=True)
class TrainedTrees(TrainedStudent):
    """A student of boosted trees.

    Attributes:
        trees: how many were kept.
        nodes: comparisons of all of them.
        leaves: their leaf values.
    """

    trees: int
    nodes: int
    leaves: int

    def metrics(self) -> dict[str, float]:
        """Return ``trees``, ``nodes``, ``leaves``, ``parameters`` and those of the history."""
        return {
            "trees": float(self.trees),
            "nodes": float(self.nodes),
            "leaves": float(self.leaves),
            "parameters": float(self.nodes + self.leaves),
            **self.history.metrics(),
        }


def check_trees(distillation: DistillationSettings, pruning: CompressionSettings) -> None:
    """Refuse what decision trees cannot learn from, or in a way that they cannot.

    Raises:
        ConfigError: the line names the key.
    """
    answer = distillation.response.answer
    check_answers_alone(
        distillation,
        [
            Demand(key="distillation.response.answer", value=answer, possible="score"),
            Demand(key="distillation.loss", value=distillation.loss, possible="mse"),
        ],
        "student=trees learns the teacher's score alone, offline and with the mean squared error",
        or_else="student=mlp",
    )
    if not isinstance(pruning, PruningSettings):
        raise ConfigError(
            f"compression.method={pruning.method}: student=trees has no nodes to switch off; set "
            "compression=none, and student.trees or student.depth for fewer comparisons"
        )
    if pruning.sparsity:
        raise ConfigError(
            f"compression.sparsity={pruning.sparsity:g}: student=trees has no weights to prune; "
            "set compression=none, and student.trees or student.depth for fewer comparisons"
        )


def train_trees(
    train: Examples,
    validation: Examples,
    settings: TreesSettings | None = None,
    distillation: DistillationSettings | None = None,
    pruning: CompressionSettings | None = None,
    *,
    input_exponents: Sequence[int] = (),
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
) -> TrainedTrees:
    """Boost trees to a teacher's answers, with thresholds and leaf values on the firmware's grids.

    They are trained on quantized inputs, between whose values a threshold may stand anywhere.

    Args:
        train: features and targets of the training split, pseudo-items among them.
        validation: of the items that decide how many trees are kept.
        settings: of the trees.
        distillation: refused where it asks for more than the teacher's score.
        pruning: refused where it prunes.
        input_exponents: see :func:`l1distill.models.trees.build_trees`.
        seed: of the features and items that a tree is shown.
        on_epoch: called after each tree (of each output) with its number and losses.

    Returns:
        The student; its model computes what firmware does, bit for bit.

    Raises:
        ConfigError: see :func:`check_trees`.
        ValueError: features and targets do not fit together.
    """
    settings = settings or TreesSettings()
    check_trees(distillation or DistillationSettings(), pruning or PruningSettings(sparsity=0.0))
    features, outputs = train.features.shape[1], train.targets.shape[1]
    empty = build_trees(settings, features, outputs, outputs, input_exponents)
    compared = compared_numbers(empty)

    def on_grid(examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return compared.predict(examples.features, batch_size=2**16, verbose=0), examples.targets

    step = 2.0 ** (1 - settings.input_bits)
    ensemble = boost(
        on_grid(train),
        on_grid(validation),
        settings,
        step=step,
        beyond=1 - step,
        seed=seed,
        on_epoch=on_epoch,
    )
    model = build_trees(settings, features, len(ensemble.trees), outputs, input_exponents)
    model.get_layer(OUTPUT_LAYER).set_weights(_weights(ensemble))
    return TrainedTrees(
        model=model,
        history=ensemble.history,
        sparsity=0.0,
        trees=len(ensemble.trees),
        nodes=sum(tree.compares for tree in ensemble.trees),
        leaves=sum(tree.compares + 1 for tree in ensemble.trees),
    )


def _weights(ensemble: Ensemble) -> list[NDArray[Any]]:
    """Return the weights of a :class:`~l1distill.models.decision_trees.TreeEnsemble`."""
    trees = ensemble.trees
    return [
        np.stack([tree.features for tree in trees]),
        np.stack([tree.thresholds for tree in trees]),
        np.stack([tree.leaves for tree in trees]),
        ensemble.offset,
    ]
