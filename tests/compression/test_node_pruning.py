"""Nodes and features that are switched off in a training, to an exact number, and then removed."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import ValidationError
from tensorflow import keras

from l1distill.compression.node_budget import Budget, Schedule, feature_budget, node_budgets
from l1distill.compression.node_gates import Gate, Pool
from l1distill.compression.node_pruning import GatedNetwork, even_widths
from l1distill.compression.node_scores import RULES, Fisher, StraightThrough
from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.permutation import HeldOut
from l1distill.core.errors import ConfigError, DataError
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, OnEpoch, fit, ignore_epoch, supervised
from l1distill.training.settings import TrainingSettings

EPOCHS, STEPS, FEATURES = 5, 4, 6
TRAINING = TrainingSettings(epochs=EPOCHS, batch_size=32, learning_rate=0.01, patience=9)
WIDTHS = {"first": 8, "second": 6}
rng = np.random.default_rng(0)
X = rng.normal(size=(32 * STEPS, FEATURES)).astype(np.float32)
Y = 2 * X[:, 2] - 3 * X[:, 4]


def _dense() -> keras.Model:
    """Activations within a layer, behind it, and behind batch normalization."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((FEATURES,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(6, name="second"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(1, name="last"),
        ]
    )


def _convolutional() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((FEATURES,)),
            layers.Reshape((3, 2, 1)),
            layers.Conv2D(5, (1, 2), activation="relu", name="rows"),
            layers.Conv2D(4, (2, 1), name="columns"),
            layers.ReLU(),
            layers.MaxPooling2D((2, 1)),
            layers.Flatten(),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.Dense(1, name="last"),
        ]
    )


def _gated(settings: NodePruningSettings, seed: int = 0, network: Any = _dense) -> GatedNetwork:
    make_deterministic(seed)
    model = network()
    return GatedNetwork(model, settings, epochs=EPOCHS, steps_per_epoch=STEPS, seed=seed)


def _fit(
    gated: GatedNetwork, checkpoint: Path | None = None, on_epoch: OnEpoch = ignore_epoch
) -> Any:
    training = Fit(
        model=gated.model,
        loss=supervised(gated.model, "mse"),
        settings=TRAINING,
        seed=3,
        callbacks=gated.callbacks,
        best_from_epoch=gated.full_from_epoch,
        after_step=gated.after_step,
        fine_tune_from=gated.fine_tune_from,
    )
    return fit(training, [X, Y], [X, Y], on_epoch, checkpoint)


def _train(settings: NodePruningSettings, **options: Any) -> GatedNetwork:
    gated = _gated(settings, **options)
    _fit(gated)
    return gated


def test_the_schedule_is_the_formula_and_reaches_the_budget() -> None:
    settings = NodePruningSettings(begin=0.2, end=0.65)
    schedule = Schedule.of(settings, 200)
    budget = Budget(sizes={"a": 192}, keep=19, least={"a": 2})
    for step in (1, 40, 41, 80, 129, 130, 200):
        r = min(max((step - 40) / 90, 0), 1)
        assert schedule.keep(budget, step) == math.ceil(19 + 173 * (1 - r) ** 3)
    assert [schedule.keep(budget, step) for step in (40, 129, 130)] == [192, 20, 19]


@pytest.mark.parametrize("score", sorted(set(RULES) - {"permutation"}))
def test_exactly_as_many_are_on_as_were_asked_for_whatever_decides(score: Any) -> None:
    settings = NodePruningSettings(
        nodes=5, features=3, score=score, feature_score=score, end=0.5, begin=0.1
    )
    gated = _train(settings, seed=1)
    structure = gated.structure()
    assert structure.metrics() == {
        "nodes_asked": 5.0,
        "nodes_used": 5.0,
        "nodes_before": 14.0,
        "nodes_used/first": float(structure.nodes["first"]),
        "nodes_used/second": float(structure.nodes["second"]),
        "features_asked": 3.0,
        "features_used": 3.0,
        "features_before": 6.0,
    }
    assert min(structure.nodes.values()) >= 2
    assert sum(structure.nodes.values()) == 5
    np.testing.assert_array_equal(structure.counts[-1], list(structure.nodes.values()))
    if RULES[score]().gradual:
        assert (np.diff(structure.counts.sum(axis=1)) <= 0).all()
    # removed, it answers the same, and is that small
    small = gated.removed()
    np.testing.assert_allclose(
        small.predict(X, verbose=0), gated.model.predict(X, verbose=0), atol=1e-5
    )
    assert small.get_layer("first").kernel.shape == (3, structure.nodes["first"])
    assert small.get_layer("last").kernel.shape == (structure.nodes["second"], 1)
    assert structure.features is not None
    moved = X.copy()
    unused = np.setdiff1d(np.arange(FEATURES), structure.features)
    moved[:, unused] += 7.0
    np.testing.assert_array_equal(small.predict(moved, verbose=0), small.predict(X, verbose=0))


def test_filters_and_the_features_before_them_are_removed_as_well() -> None:
    settings = NodePruningSettings(nodes=0.5, features=4, begin=0.0, end=0.5)
    gated = _train(settings, network=_convolutional)
    structure, small = gated.structure(), gated.removed()
    assert sum(structure.nodes.values()) == 7
    widths = [small.get_layer(name).kernel.shape[-1] for name in structure.nodes]
    assert widths == list(structure.nodes.values())
    np.testing.assert_allclose(
        small.predict(X, verbose=0), gated.model.predict(X, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("network", [_dense, _convolutional])
def test_of_the_weights_between_what_is_left_a_share_is_zero(network: Any) -> None:
    settings = NodePruningSettings(nodes=0.5, features=4, sparsity=0.6, begin=0.0, end=0.5)
    gated = _train(settings, network=network)
    small = gated.removed()
    kernels = [layer.kernel.numpy() for layer in small.layers if hasattr(layer, "kernel")]
    for kernel in kernels[:-1]:
        assert np.count_nonzero(kernel) == math.ceil(np.float32(1 - 0.6) * kernel.size)
    assert np.count_nonzero(kernels[-1]) == kernels[-1].size
    np.testing.assert_allclose(
        small.predict(X, verbose=0), gated.model.predict(X, verbose=0), atol=1e-5
    )


def test_a_killed_training_goes_on_to_the_same_draws(tmp_path: Path) -> None:
    """Noise is drawn in each step; what is killed goes on with that of the next one."""
    settings = NodePruningSettings(
        nodes=5, features=3, score="hard_concrete", sparsity=0.3, begin=0.2, end=0.8
    )
    state, of_the_killed = tmp_path / "state.npz", tmp_path / "killed.npz"

    def keep(number: int, _: Mapping[str, float]) -> None:
        if number == 1:  # all that a training that is killed here leaves behind
            shutil.copy(state, of_the_killed)

    whole, resumed = _gated(settings), _gated(settings)
    history = _fit(whole, state, keep)
    assert _fit(resumed, of_the_killed) == history
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def _pool(rule: Any, keep: int = 3) -> Pool:
    budget = Budget(sizes={"a": 3, "b": 3}, keep=keep, least={"a": 1, "b": 1})
    return Pool("pool", budget, Schedule(begin=0, end=1), rule, epochs=1, seed=0)


def test_the_largest_stay_on_but_no_layer_is_emptied() -> None:
    pool = _pool(StraightThrough())
    pool.score.assign([0.5, 0.9, 0.7, 0.1, 0.3, 0.2])
    np.testing.assert_array_equal(pool._largest(3), [0, 1, 1, 0, 1, 0])
    pool.mask.assign([1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(pool._largest(3), [0, 1, 1, 0, 1, 0])
    for keep in range(2, 7):
        assert float(tf.reduce_sum(pool._largest(keep))) == keep
    lasting = _pool(Fisher())
    lasting.score.assign([0.5, 0.9, 0.7, 0.1, 0.3, 0.2])
    lasting.mask.assign([1, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(lasting._largest(3), [1, 0, 1, 0, 1, 0])
    lasting.score.assign(np.zeros(6))
    np.testing.assert_array_equal(lasting._largest(3), [1, 0, 1, 1, 0, 0])


def test_the_derivatives_are_those_of_the_formula() -> None:
    """Loss sum of c g x over the batch, divided by its size: dL/dg is known for each item."""
    pool, weights = _pool(Fisher()), np.array([1.0, -2.0, 3.0], np.float32)
    gate, x = Gate(pool, "b"), rng.normal(size=(4, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        values = tf.constant(x)
        tape.watch(values)
        loss = tf.reduce_mean(tf.reduce_sum(gate(values) * weights, axis=1))
    np.testing.assert_allclose(tape.gradient(loss, values), np.tile(weights / 4, (4, 1)))
    single = x * weights
    np.testing.assert_allclose(pool.gradient[3:], single.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(pool.square[3:], (single**2).mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(pool.gradient[:3], 0.0)
    pool.score.assign(np.ones(6))
    Fisher().update(pool, tf.constant(0.5))
    expected = 0.98 + 0.02 * (single**2).mean(axis=0)
    np.testing.assert_allclose(pool.score[3:], expected, rtol=1e-5)


def test_where_nothing_goes_any_epoch_may_be_the_best() -> None:
    whole = _gated(NodePruningSettings(nodes=1.0, features=FEATURES))
    assert (whole.full_from_epoch, whole.fine_tune_from) == (0, 4)
    assert _gated(NodePruningSettings(nodes=13)).full_from_epoch == 3
    assert _gated(NodePruningSettings(nodes=1.0, sparsity=0.1)).full_from_epoch == 3


def test_what_features_have_in_common_counts_for_nothing() -> None:
    """The derivative by the gate of an input is that of what varies, wherever its zero is."""
    budget = Budget(sizes={"features": 3}, keep=1, least={"features": 1})
    pool = Pool("pool", budget, Schedule(begin=0, end=1), Fisher(), epochs=1, seed=0)
    gate, x = Gate(pool, "features"), rng.normal(size=(4, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        values = tf.constant(x + np.float32([0.0, 5.0, -20.0]))
        tape.watch(values)
        loss = tf.reduce_mean(tf.reduce_sum(gate(values), axis=1))
    np.testing.assert_allclose(tape.gradient(loss, values), 0.25)
    expected = ((x - x.mean(axis=0)) ** 2).mean(axis=0)
    np.testing.assert_allclose(pool.square, expected, rtol=1e-3)


def test_scores_that_are_trained_take_the_steps_of_adam() -> None:
    pool = _pool(StraightThrough())
    mine = tf.Variable(pool.score.numpy())
    adam = keras.optimizers.Adam(0.01)
    for gradient in rng.normal(size=(3, 6)).astype(np.float32):
        pool.step.assign_add(1)
        pool.gradient.assign(gradient)
        StraightThrough().update(pool, tf.constant(0.0))
        adam.apply_gradients([(tf.constant(gradient), mine)])
    np.testing.assert_allclose(pool.score, mine, rtol=1e-4)


def test_what_decides_keeps_the_features_that_matter() -> None:
    """The target is made of two of six."""
    settings = NodePruningSettings(nodes=None, features=2, begin=0.4, end=0.8)
    structure = _train(settings, seed=2).structure()
    assert structure.features == [2, 4]
    assert structure.metrics() == {
        "features_asked": 2.0,
        "features_used": 2.0,
        "features_before": 6.0,
    }


def test_features_whose_shuffling_hurts_most_are_kept() -> None:
    """The loss is known: that of the target from the two features that it is made of."""

    def losses(features: Any, items: Any) -> Any:
        return (2 * features[:, 2] - 3 * features[:, 4] - Y[items]) ** 2

    held_out = HeldOut(features=X, judge=lambda: losses)
    importance = held_out.importance(seed=5)
    # a feature and its shuffled self are independent: 2 x square of the weight x variance
    expected = 2 * np.array([0, 0, 4, 0, 9, 0]) * X.var(axis=0)
    np.testing.assert_allclose(importance, expected, rtol=0.25)
    settings = NodePruningSettings(
        nodes=None, features=2, feature_score="permutation", begin=0.4, end=0.8
    )
    make_deterministic(1)
    gated = GatedNetwork(
        _dense(), settings, epochs=EPOCHS, steps_per_epoch=STEPS, held_out=held_out
    )
    gated.callbacks[0].on_epoch_end(gated.full_from_epoch - 1)
    for _ in range(round(0.8 * EPOCHS * STEPS)):
        gated.after_step()
    assert gated.structure().features == [2, 4]
    with pytest.raises(ConfigError, match="ranks features after an epoch, and there is none"):
        GatedNetwork(_dense(), settings, epochs=1, steps_per_epoch=STEPS, held_out=held_out)


def test_budgets_are_shared_out_exactly() -> None:
    def of(**chosen: Any) -> list[dict[str, tuple[int, int]]]:
        budgets = node_budgets(NodePruningSettings(**chosen), WIDTHS)
        return [{name: (size, one.keep) for name, size in one.sizes.items()} for one in budgets]

    assert of(nodes=0.5) == [{"first": (8, 7), "second": (6, 7)}]
    assert of(nodes=0.5, scope="layer") == [{"first": (8, 4)}, {"second": (6, 3)}]
    assert of(nodes=5, scope="layer") == [{"first": (8, 3)}, {"second": (6, 2)}]
    assert of(nodes=3, layers=["second"]) == [{"second": (6, 3)}]
    assert of(nodes=None) == []
    assert even_widths(NodePruningSettings(nodes=13), WIDTHS) == {"first": 7, "second": 6}
    assert even_widths(NodePruningSettings(nodes=4), WIDTHS) == {"first": 2, "second": 2}
    part = NodePruningSettings(nodes=3, layers=["second"], scope="layer")
    assert even_widths(part, WIDTHS) == {"first": 8, "second": 3}
    wide = feature_budget(NodePruningSettings(features=0.2), 57)
    assert wide is not None
    assert (wide.keep, wide.total) == (11, 57)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (
            {"nodes": 3},
            r"^compression.nodes=3: too few; each of 2 layers keeps 2; the smallest is 4",
        ),
        ({"nodes": 0.1}, r"^compression.nodes=0.1, 1 of 14: too few; .* is 4, a share of 0.25$"),
        ({"nodes": 15}, r"^compression.nodes=15: there are 14; the largest is 14, a share of 1.0$"),
        ({"nodes": 1, "scope": "layer"}, "the smallest is 4"),
        ({"features": 7}, r"^compression.features=7: there are 6; the largest is 6"),
        (
            {"features": 0.01},
            r"^compression.features=0.01, 0 of 6: too few; the smallest is 1, a s",
        ),
        (
            {"layers": ["frist"]},
            r"^compression.layers: there is no hidden layer 'frist'; did you mean first; there are "
            r"first, second$",
        ),
        ({"layers": ["last"]}, r"no hidden layer 'last'"),
    ],
)
def test_what_cannot_be_met_is_refused_with_the_way_out(chosen: dict[str, Any], says: str) -> None:
    settings = NodePruningSettings.model_validate(chosen)
    with pytest.raises(ConfigError, match=says):
        if node_budgets(settings, WIDTHS):
            feature_budget(settings, FEATURES)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"nodes": 0}, "nodes=0: give a whole number of nodes, at least 1, or a share"),
        ({"nodes": 1.5}, "nodes=1.5: give a whole number"),
        ({"features": -1}, "features=-1: give a whole number of features"),
        ({"begin": 0.7}, "begin=0.7 must come before end=0.65"),
        ({"score": "from_scratch", "features": 3}, "score=from_scratch chooses no features"),
        ({"score": "from_scratch", "sparsity": 0.5}, "score=from_scratch sets no weight to zero"),
    ],
)
def test_settings_that_make_no_sense_are_refused(chosen: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        NodePruningSettings.model_validate(chosen)


def test_the_smallest_that_is_named_can_be_reached() -> None:
    for total in range(4, 60):
        widths = {"a": total - 2, "b": 2}
        with pytest.raises(ConfigError, match="a share of") as refused:
            node_budgets(NodePruningSettings(nodes=0.001), widths)
        share = float(str(refused.value).rsplit(" ", 1)[1])
        (budget,) = node_budgets(NodePruningSettings(nodes=share), widths)
        assert budget.keep == 4


def test_networks_that_nodes_are_not_traced_through_are_refused() -> None:
    x = keras.layers.Input((FEATURES,))
    branch = keras.layers.Dense(FEATURES, name="branch")(x)
    forked = keras.Model(x, keras.layers.Add(name="sum")([x, branch]))
    lstm = keras.Sequential([keras.layers.Input((3, 2)), keras.layers.LayerNormalization(name="n")])
    with pytest.raises(DataError, match="layer sum: the network is not one layer behind the other"):
        _gated(NodePruningSettings(), network=lambda: forked)
    with pytest.raises(
        DataError, match=r"layer n \(LayerNormalization\): nodes cannot be switched"
    ):
        _gated(NodePruningSettings(), network=lambda: lstm)


def test_the_seed_decides_what_is_drawn() -> None:
    scores: list[NDArray[np.float32]] = [
        pool.score.numpy()
        for seed in (1, 1, 2)
        for pool in _gated(NodePruningSettings(score="straight_through"), seed)._pools
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
