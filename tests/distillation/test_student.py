"""The training of students: features and targets in, a quantized and pruned network out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.pupil import TrainedStudent
from l1distill.distillation.settings import DistillationSettings, ResponseSettings
from l1distill.distillation.student import Examples, distance_to_teacher, train_student
from l1distill.distillation.targets import TargetTransform
from l1distill.distillation.teacher import train_teacher
from l1distill.models.mlp import StudentSettings
from l1distill.training.settings import TrainingSettings
from tests.distillation.classifier import CLASSES, Classifier, points

PRUNING = PruningSettings(sparsity=0.75, begin_epoch=0, end_epoch=2)
DENSE = PruningSettings(sparsity=0.0)
STUDENT = StudentSettings(
    layers=[8],
    weight_bits=8,
    training=TrainingSettings(epochs=3, batch_size=32, learning_rate=0.01, patience=3),
)


def examples(n: int, seed: int) -> Examples:
    """Features (n, 6), and as targets (n, 2) two functions of them."""
    x = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    return Examples(features=x, targets=np.stack([x[:, 0] - x[:, 1], np.abs(x[:, 2])], axis=1))


TRAIN, VALIDATION = examples(300, 1), examples(100, 2)


class Killed(Exception):
    pass


def _train(pruning: PruningSettings = PRUNING, **options: Any) -> TrainedStudent:
    chosen = {"student": STUDENT, "seed": 7, **options}
    return train_student(TRAIN, VALIDATION, pruning=pruning, **chosen)


def _weights(trained: TrainedStudent) -> list[NDArray[np.float32]]:
    weights: list[NDArray[np.float32]] = trained.model.get_weights()
    return weights


@pytest.fixture(scope="module")
def trained() -> TrainedStudent:
    return _train()


def test_its_losses_are_those_of_its_own_answers(trained: TrainedStudent) -> None:
    answers = trained.predict(VALIDATION.features)
    assert (answers.shape, answers.dtype) == ((100, 2), np.float32)
    mse = float(np.mean((answers - VALIDATION.targets) ** 2))
    metrics = trained.metrics()
    assert metrics == {
        "parameters": 6 * 8 + 8 + 8 * 2 + 2,
        "sparsity": trained.sparsity,
        "epochs": 3.0,
        "best_validation_loss": pytest.approx(min(trained.history.validation_loss)),
    }
    # pruned in full from the last epoch on: the weights of that one came back
    assert mse == pytest.approx(trained.history.validation_loss[-1], rel=1e-5)


def test_the_sparsity_is_reached_in_each_layer(trained: TrainedStudent) -> None:
    assert trained.sparsity >= 0.74
    for name in ("dense_1", "score"):
        kernel = trained.model.get_layer(name).kernel.numpy()
        assert np.mean(kernel == 0.0) == pytest.approx(0.75, abs=0.5 / kernel.shape[0]), name
    assert _train(DENSE).sparsity < 0.2


def test_answers_are_on_the_grid_of_the_firmware(trained: TrainedStudent) -> None:
    step = 2.0 ** (1 + STUDENT.output_integer - STUDENT.output_bits)
    codes = trained.predict(10 * TRAIN.features) / step
    np.testing.assert_array_equal(codes, np.round(codes))
    assert len(np.unique(codes)) > 50


def test_the_same_seed_gives_the_same_weights_and_epochs_and_another_others(
    trained: TrainedStudent,
) -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    again = _train(on_epoch=lambda epoch, losses: told.append((epoch, losses)))
    for one, other in zip(_weights(trained), _weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
    kernels = [weights[0] for weights in (_weights(trained), _weights(_train(seed=8)))]
    assert not np.array_equal(*kernels)
    history = trained.history
    assert told == [
        (epoch, {"loss": history.loss[epoch], "val_loss": history.validation_loss[epoch]})
        for epoch in range(3)
    ]


def test_the_distance_is_the_one_that_was_asked_for() -> None:
    student = _train(DENSE, distillation=DistillationSettings(loss="huber"))
    off = np.abs(student.predict(VALIDATION.features) - VALIDATION.targets)
    expected = np.mean(np.where(off <= 1.0, 0.5 * off**2, off - 0.5))
    assert min(student.history.validation_loss) == pytest.approx(expected, rel=1e-5)


class _Truth:
    """A truth of its own for the first output, beside what the targets say."""

    def student_loss(self, answers: Any, arrays: Any) -> Any:
        return abs(answers - arrays[0][:, None])[:, 0]

    def true_answers(self, arrays: Any) -> Any:
        return arrays[0][:, None]


def test_items_count_by_their_weights_and_high_answers_more() -> None:
    rng = np.random.default_rng(5)

    def with_truth(n: int, seed: int) -> Examples:
        part = examples(n, seed)
        return replace(
            part,
            targets=part.targets[:, :1],
            arrays=[rng.random(n).astype(np.float32)],
            weights=rng.exponential(1.0, n).astype(np.float32),
        )

    held_out = with_truth(100, 2)
    settings = DistillationSettings(
        loss="mae", beta=0.5, gamma=2.0, response=ResponseSettings(high_from=0.7, high_weight=3.0)
    )
    student = train_student(
        with_truth(300, 1), held_out, STUDENT, settings, DENSE, truth=_Truth(), seed=7
    )
    answers = student.predict(held_out.features)[:, 0].astype(np.float64)
    assert held_out.weights is not None
    expected = np.zeros(100)
    for share, wanted in ((2.0, held_out.targets[:, 0]), (0.5, held_out.arrays[0])):
        counts = np.array([3.0 if one >= 0.7 else 1.0 for one in wanted])
        expected += share * counts * np.abs(answers - wanted)
    best = min(student.history.validation_loss)
    assert best == pytest.approx(np.mean(held_out.weights * expected), rel=1e-5)
    assert best != pytest.approx(np.mean(expected), rel=0.01)


def test_a_killed_training_goes_on_to_the_same_bytes(
    trained: TrainedStudent, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "state.npz"

    def kill(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            raise Killed

    with pytest.raises(Killed):
        _train(checkpoint=checkpoint, on_epoch=kill)
    resumed = _train(checkpoint=checkpoint)
    assert resumed.history == trained.history
    for one, other in zip(_weights(resumed), _weights(trained), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("features", "targets", "says"),
    [
        ((4, 6), (4,), r"\(n, features\) and \(n, outputs\), not \(4, 6\) and \(4,\)"),
        ((4, 2, 3), (4, 2), r"not \(4, 2, 3\) and \(4, 2\)"),
        ((4,), (4, 2), r"not \(4,\)"),
        ((4, 6), (3, 2), "4 features, but 3 targets of the same items"),
        ((0, 6), (0, 2), "no items"),
        (
            (4, 5),
            (4, 2),
            r"train with has shapes \(6,\), \(2,\), one to validate with \(5,\), \(2,\)",
        ),
        (
            (4, 6),
            (4, 1),
            r"train with has shapes \(6,\), \(2,\), one to validate with \(6,\), \(1,\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    features: tuple[int, ...], targets: tuple[int, ...], says: str
) -> None:
    wrong = Examples(features=np.zeros(features, np.float32), targets=np.zeros(targets, np.float32))
    with pytest.raises(ValueError, match=says):
        train_student(TRAIN, wrong, STUDENT, pruning=DENSE)
    with pytest.raises(ValueError, match=says if "validate" not in says else "has shapes"):
        train_student(wrong, VALIDATION, STUDENT, pruning=DENSE)


def test_a_target_that_is_not_finite_is_said() -> None:
    spoiled = Examples(features=TRAIN.features, targets=TRAIN.targets.copy())
    spoiled.targets[3, 1] = np.inf
    with pytest.raises(FloatingPointError, match="student: the loss became"):
        train_student(spoiled, VALIDATION, STUDENT, pruning=DENSE)


def test_a_student_learns_what_a_classifier_answers() -> None:
    """The whole way: a teacher of the user's, its logits, and a student that agrees with it."""
    teacher = Classifier()
    training = TrainingSettings(epochs=3, batch_size=32, learning_rate=0.03, patience=3)
    taught = train_teacher(teacher, points(300, 1), points(100, 2), training).model
    train, validation = (
        Examples(features=x, targets=teacher.answers(taught, x)["logits"])
        for x, _ in (points(600, 3), points(100, 4))
    )
    settings = STUDENT.model_copy(
        update={
            "layers": [16],
            "training": training.model_copy(update={"epochs": 10, "learning_rate": 0.01}),
        }
    )
    student = train_student(train, validation, settings, pruning=DENSE, seed=1)
    x, labels = points(500, 5)
    answers, targets = student.predict(x), teacher.answers(taught, x)["logits"]
    assert answers.shape == (500, CLASSES)
    assert np.mean(answers.argmax(axis=1) == labels) > 0.9
    distance = distance_to_teacher({"test": answers}, {"test": targets})
    assert distance == {"mse_to_teacher/test": pytest.approx(np.mean((answers - targets) ** 2))}
    assert distance["mse_to_teacher/test"] < 0.2 * np.var(targets)


def test_a_decision_has_a_brier_score_and_no_distance_from_its_teachers_score() -> None:
    target = TargetTransform.fit_decision(np.arange(100.0), 0.25)
    targets = {"test": target(np.array([10.0, 90.0, 95.0]))}
    logits = {"test": np.log([[1.0], [3.0], [1.0 / 3.0]])}
    squared = np.array([0.5, 0.25, 0.75]) ** 2
    assert distance_to_teacher(logits, targets, target) == {
        "brier/test": pytest.approx(squared.mean()),
        "brier_error/test": pytest.approx(squared.std() / np.sqrt(3)),
    }
