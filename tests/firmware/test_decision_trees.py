"""Decision trees in every back end, against what scikit-learn predicts with the same trees."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from l1distill.core.errors import DataError
from l1distill.distillation.boosting import complete_tree
from l1distill.firmware.cost.estimate import estimate
from l1distill.firmware.emulator.cpp import predict
from l1distill.firmware.hls.project import simulate_hls, write_hls_project
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import DecisionTrees
from l1distill.firmware.network.network import Network, evaluate, narrow_ports
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.firmware.rtl.verilog import trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import synthesize_verilog
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.models import keras_files
from l1distill.models.trees import TreesSettings, build_trees
from tests.firmware.emulators import TIME_LIMIT, library, simulated
from tests.firmware.networks import full_range
from tests.firmware.students import HARDWARE

SETTINGS = TreesSettings(depth=3, input_bits=7)
EXPONENTS = (5, 1, 0, 3, 2)
SIGNED = (False, True, True, True, False)
STEP, LEAF_STEP = 2.0**-6, 2.0**-5


@dataclass(frozen=True)
class Grown:
    """Trees of two outputs in turn, some of whose branches end early, and the student of them."""

    trees: list[DecisionTreeRegressor]
    model: Any
    network: Network

    def by_scikit_learn(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Returns (n, 2) sums of scikit-learn's own predictions for inputs on the grid."""
        codes = (x / 2.0 ** np.array(EXPONENTS)).astype(np.float32)
        each = [rounded(tree.predict(codes)) for tree in self.trees]
        return np.stack([sum(each[0::2]) + 0.5, sum(each[1::2]) - 0.25], axis=1)


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(values / LEAF_STEP) * LEAF_STEP


@pytest.fixture(scope="module")
def grown() -> Grown:
    rng = np.random.default_rng(2)
    codes = rng.integers(-64, 64, (500, 5)) * STEP
    codes[:, ~np.array(SIGNED)] = np.abs(codes[:, ~np.array(SIGNED)])
    targets = codes[:, 0] * codes[:, 1] + np.abs(codes[:, 2]) - codes[:, 4] ** 2
    trees = [
        DecisionTreeRegressor(max_depth=3, min_samples_leaf=40, max_features=2, random_state=n).fit(
            codes.astype(np.float32), targets + rng.normal(0, 0.1, 500)
        )
        for n in range(8)
    ]
    complete = [
        complete_tree(tree.tree_, rounded(tree.tree_.value[:, 0, 0]), 3, STEP, 1 - STEP)
        for tree in trees
    ]
    assert {tree.compares for tree in complete} >= {6, 7}, "no branch ends early, or all do"
    model = build_trees(SETTINGS, 5, 8, 2, EXPONENTS)
    model.get_layer("score").set_weights(
        [np.stack([getattr(tree, name) for tree in complete]) for name in FIELDS]
        + [np.array([0.5, -0.25])]
    )
    network = narrow_ports(from_qkeras(model), SIGNED)
    return Grown(trees, model, network)


FIELDS = ("features", "thresholds", "leaves")


@pytest.fixture(scope="module")
def x(grown: Grown) -> NDArray[np.float64]:
    """Events everywhere, and of every threshold the three at and beside it."""
    events = full_range(grown.network, 300)
    events[:, ~np.array(SIGNED)] = np.abs(events[:, ~np.array(SIGNED)])
    features, thresholds = grown.model.get_layer("score").get_weights()[:2]
    beside = []
    for feature, threshold in zip(features.ravel(), thresholds.ravel(), strict=True):
        rows = events[len(beside) % 300 : len(beside) % 300 + 1].repeat(3, axis=0)
        near = threshold + np.array([-STEP, 0.0, STEP])
        rows[:, feature] = np.clip(near, -1 if SIGNED[feature] else 0, 1 - STEP) * (
            2.0 ** EXPONENTS[feature]
        )
        beside.append(rows)
    return np.concatenate([events, *beside])


def test_the_student_predicts_what_scikit_learn_does(
    grown: Grown, x: NDArray[np.float64], tmp_path: Path
) -> None:
    expected = grown.by_scikit_learn(x)
    assert len(np.unique(expected)) > 40
    np.testing.assert_array_equal(grown.model.predict(x, verbose=0), expected)
    keras_files.save(grown.model, tmp_path / "student.h5")
    again = keras_files.load(tmp_path / "student.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), expected)


def test_every_back_end_computes_what_scikit_learn_does(
    grown: Grown, x: NDArray[np.float64], tmp_path: Path
) -> None:
    expected, network = grown.by_scikit_learn(x), grown.network
    np.testing.assert_array_equal(evaluate(network, x), expected)
    save(network, tmp_path / "network.json")
    np.testing.assert_array_equal(evaluate(load(tmp_path / "network.json"), x), expected)
    emulator = trace_network(network)
    np.testing.assert_array_equal(emulator.predict(x), expected)
    np.testing.assert_array_equal(predict(library(emulator, tmp_path / "cpp"), x), expected)
    np.testing.assert_array_equal(simulated(network, x, tmp_path / "rtl"), expected)
    write_hls_project(network, HARDWARE, tmp_path / "hls")
    found = simulate_hls(tmp_path / "hls", x, network, TIME_LIMIT)
    np.testing.assert_array_equal(found, expected)


def test_an_event_enters_each_cycle_and_few_luts_are_taken(grown: Grown, tmp_path: Path) -> None:
    report = write_rtl(trace_network(grown.network), HARDWARE, 3.0, tmp_path)
    assert report.ii_cycles == 1
    sources = verilog_files(tmp_path)
    counts = synthesize_verilog(sources, "l1distill", "xcup", TIME_LIMIT, 8.0)
    assert counts.dsp == counts.bram_18k == 0
    estimated = estimate(grown.network, 3.0).lut_estimate
    assert 0.5 < estimated / counts.lut < 2.0


def test_adversarial_events_meet_the_thresholds(grown: Grown) -> None:
    found = adversarial_events(grown.network, 2000, seed=1)
    assert found.boundaries > 60
    assert found.met > 0.9 * found.boundaries
    expected = grown.by_scikit_learn(found.x)
    np.testing.assert_array_equal(trace_network(grown.network).predict(found.x), expected)


def test_a_comparison_is_made_once(grown: Grown) -> None:
    features, thresholds, *_ = grown.model.get_layer("score").get_weights()
    twice = build_trees(SETTINGS, 5, 16, 2, EXPONENTS)
    weights = grown.model.get_layer("score").get_weights()
    twice.get_layer("score").set_weights(
        [np.tile(array, (2, 1)) for array in weights[:3]] + [weights[3]]
    )
    sizes = [
        len(network.layers[0].indices)  # type: ignore[union-attr]
        for network in (from_qkeras(grown.model), from_qkeras(twice))
    ]
    pairs = set(zip(features.ravel(), thresholds.ravel(), strict=True))
    assert sizes == [len(pairs)] * 2


def test_bits_that_are_fixed_leave_fewer_leaves() -> None:
    layer = DecisionTrees(
        "trees",
        nodes=((0, 1, 2),),
        leaves=np.array([[-1.0, 0.5, 1.0, 2.0]]),
        leaves_type=FixedPoint(signed=True, integer=2, fraction=1),
    )
    cases = {
        ((0, 0, 0), (1, 1, 1)): (-1.0, 2.0),
        ((0, 0, 0), (0, 1, 1)): (-1.0, 0.5),
        ((1, 0, 0), (1, 1, 1)): (1.0, 2.0),
        ((0, 1, 0), (1, 1, 0)): (0.5, 1.0),
    }
    for (low, high), ends in cases.items():
        bits = ValueRange(low=np.array(low, float), high=np.array(high, float), fraction=0)
        found = layer.value_range(bits)
        assert (found.low[0], found.high[0]) == ends


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        (0, 7, "compares a feature that its 5 inputs do not have"),
        (1, np.inf, "not finite; train it anew"),
        (2, np.nan, "not finite; train it anew"),
    ],
)
def test_weights_that_cannot_be_are_refused(
    grown: Grown, number: int, value: float, words: str
) -> None:
    broken = build_trees(SETTINGS, 5, 8, 2, EXPONENTS)
    weights = grown.model.get_layer("score").get_weights()
    weights[number][0, 0] = value
    broken.get_layer("score").set_weights(weights)
    with pytest.raises(DataError, match=rf"layer score \(TreeEnsemble\).*{words}"):
        from_qkeras(broken)
