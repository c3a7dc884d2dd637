"""Boosted trees: against scikit-learn's own boosting, on their grids, and what they refuse."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.ensemble import GradientBoostingRegressor

from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.boosting import LeafGrid, boost, leaf_grid
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.distillation.trees import TrainedTrees, check_trees, train_trees
from l1distill.models.students import quantize_inputs
from l1distill.models.trees import TreesSettings

STEP = 2.0**-7
FINE = TreesSettings(
    trees=12, depth=3, learning_rate=0.3, min_events_leaf=10, input_bits=8, leaf_bits=16
)
RANGES = (5, 1, 0, 2)


def grid(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Features on a grid, and a function of them that has two outputs."""
    x = np.random.default_rng(seed).integers(-128, 128, (n, 4)) * STEP
    y = np.stack([x[:, 0] * x[:, 1] + np.abs(x[:, 2]), x[:, 3] ** 2], axis=1)
    return x.astype(np.float32), y


def examples(n: int, seed: int) -> Examples:
    """The same in units of their own, a little off the grid."""
    x, y = grid(n, seed)
    x = x * 2.0 ** np.array(RANGES) * (1 + 1e-5)
    return Examples(features=x.astype(np.float32), targets=y[:, :1].astype(np.float32))


@pytest.fixture(scope="module")
def trained() -> TrainedTrees:
    return train_trees(
        examples(800, 1), examples(300, 2), FINE, input_exponents=RANGES, on_epoch=lambda *_: None
    )


def test_it_is_the_boosting_of_scikit_learn() -> None:
    """With many bits for a leaf value there is nothing but their rounding between the two."""
    (x, y), held_out = grid(800, 1), grid(300, 2)
    told: list[tuple[int, float]] = []
    ensemble = boost(
        (x, y), held_out, FINE, step=STEP, beyond=1 - STEP,
        on_epoch=lambda number, losses: told.append((number, losses["val_loss"])),
    )  # fmt: skip
    assert ensemble.history.validation_loss == [loss for _, loss in told]
    assert [number for number, _ in told] == list(range(12))
    for output in range(2):
        theirs = GradientBoostingRegressor(
            n_estimators=12, max_depth=3, learning_rate=0.3, min_samples_leaf=10,
            criterion="squared_error", random_state=0,
        ).fit(x, y[:, output])  # fmt: skip
        answers = np.full(len(held_out[0]), ensemble.offset[output])
        for tree in ensemble.trees[output::2]:
            node = np.zeros(len(answers), dtype=int)
            for _ in range(3):
                column = tree.features[node]
                larger = held_out[0][np.arange(len(node)), column] > tree.thresholds[node]
                node = 2 * node + 1 + larger
            answers += tree.leaves[node - 7]
        np.testing.assert_allclose(answers, theirs.predict(held_out[0]), atol=1e-3)
        assert np.std(answers) > 0.1


def test_everything_is_on_the_grids_of_firmware(trained: TrainedTrees) -> None:
    features, thresholds, leaves, offset = trained.model.get_layer("score").get_weights()
    assert features.max() == 3
    assert np.array_equal(thresholds, np.round(thresholds / STEP) * STEP)
    largest = np.abs(leaves).max()
    step = 2.0 ** (np.ceil(np.log2(largest)) - 15)
    for values in (leaves, offset):
        assert np.array_equal(values, np.round(values / step) * step)
    assert trained.metrics() == {
        "trees": 12.0,
        "nodes": trained.nodes,
        "leaves": trained.nodes + 12.0,
        "parameters": 2 * trained.nodes + 12.0,
        "epochs": 12.0,
        "best_validation_loss": min(trained.history.validation_loss),
    }
    held_out = examples(300, 2)
    error = np.mean((trained.predict(held_out.features) - held_out.targets) ** 2)
    assert error == pytest.approx(trained.history.validation_loss[-1], rel=1e-5)
    assert error < 0.6 * np.var(held_out.targets)
    on_grid = quantize_inputs(trained.model).predict(held_out.features, verbose=0)
    np.testing.assert_allclose(on_grid, held_out.features, atol=STEP * 2 ** max(RANGES))
    assert not np.array_equal(on_grid, held_out.features)


def test_later_trees_correct_what_rounding_left() -> None:
    coarse = FINE.model_copy(update={"leaf_bits": 4, "trees": 40, "patience": 40})
    ensemble = boost(grid(800, 1), grid(300, 2), coarse, step=STEP, beyond=1 - STEP)
    assert len(np.unique([tree.leaves for tree in ensemble.trees])) <= 16
    rounded = LeafGrid(bits=4, step=0.25).round(np.array([-9.0, 0.13, 1.74, 9.0]))
    assert rounded.tolist() == [-2.0, 0.25, 1.75, 1.75]
    assert leaf_grid(np.array([0.3, -1.0]), 4).step == 0.25
    assert leaf_grid(np.array([0.3, -0.9]), 4).step == 0.125
    best = min(ensemble.history.validation_loss)
    assert best < 0.2 * np.mean(np.var(grid(300, 2)[1], axis=0))


def test_the_validation_split_decides_how_many_are_kept() -> None:
    x, _ = grid(200, 3)
    rng = np.random.default_rng(4)
    noise = (x, rng.normal(size=(200, 1))), (x[:100], rng.normal(size=(100, 1)))
    settings = FINE.model_copy(update={"trees": 40, "patience": 5})
    ensemble = boost(*noise, settings, step=STEP, beyond=1 - STEP)
    losses = ensemble.history.validation_loss
    assert len(ensemble.trees) == int(np.argmin(losses)) + 1
    assert len(losses) == len(ensemble.trees) + 5 < 40


def test_the_seed_alone_decides() -> None:
    drawn = FINE.model_copy(update={"compared_share": 0.5, "sampled": 0.7, "trees": 3})

    def leaves(seed: int) -> Any:
        found = boost(grid(300, 1), grid(99, 2), drawn, step=STEP, beyond=1 - STEP, seed=seed)
        return [tree.leaves for tree in found.trees]

    assert np.array_equal(leaves(1), leaves(1))
    assert not np.array_equal(leaves(1), leaves(2))


@pytest.mark.parametrize(
    ("distillation", "words"),
    [
        ({"scheme": "co_training"}, "distillation.scheme=co_training: student=trees"),
        ({"scheme": "self"}, "distillation.scheme=self: "),
        ({"response": {"answer": "decision"}}, "distillation.response.answer=decision: "),
        ({"response": {"high_from": 0.9}}, "distillation.response.high_from=0.9: "),
        ({"pt_cap_gev": 5}, "distillation.pt_cap_gev=5: "),
        ({"loss": "kl"}, "distillation.loss=kl: "),
        ({"beta": 0.5}, "distillation.beta=0.5: "),
        ({"feature": {"weight": 0.1}}, "distillation.feature.weight=0.1: "),
        ({"relation": {"weight": 0.05}}, "distillation.relation.weight=0.05: "),
        ({"reconstruction": {"weight": 1}}, "distillation.reconstruction.weight=1: "),
    ],
)
def test_what_trees_cannot_learn_is_refused_by_its_key(
    distillation: dict[str, Any], words: str
) -> None:
    unpruned = PruningSettings(sparsity=0.0)
    with pytest.raises(ConfigError) as refusal:
        check_trees(DistillationSettings.model_validate(distillation), unpruned)
    assert str(refusal.value).startswith(words)
    assert "\n" not in str(refusal.value)
    check_trees(DistillationSettings.model_validate({"augmentation": 2}), unpruned)


def test_pruning_and_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^compression.sparsity=0.5: student=trees has no weig"):
        check_trees(DistillationSettings(), PruningSettings(sparsity=0.5))
    for wrong in ({"depth": 7}, {"trees": 0}, {"leaf_bits": 1}, {"compared_share": 0.0}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            TreesSettings.model_validate(wrong)
