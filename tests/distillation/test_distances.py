"""Distances between teacher and student, against plain loops and other libraries."""

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import expit, softmax
from scipy.stats import entropy

from l1distill.distillation.distances import (
    cross_entropy,
    relational_distance,
    response_distance,
    squared_distance,
)
from l1distill.distillation.settings import RelationSettings

RNG = np.random.default_rng(0)


def _numbers(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mse", lambda off: off**2),
        ("mae", np.abs),
        ("huber", lambda off: np.where(abs(off) <= 1, 0.5 * off**2, abs(off) - 0.5)),
    ],
)
def test_plain_distances_are_means_over_the_outputs(name: Any, formula: Any) -> None:
    teacher, student = _numbers(5, 3) * 2, _numbers(5, 3)
    found = response_distance(name, 1.0)(tf.constant(teacher), tf.constant(student)).numpy()
    np.testing.assert_allclose(found, formula(teacher - student).mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_the_divergence_of_softened_classes(temperature: float) -> None:
    teacher, student = _numbers(6, 4) * 3, _numbers(6, 4)
    distance = response_distance("kl", temperature)
    found = distance(tf.constant(teacher), tf.constant(student)).numpy()
    p, q = (softmax(x.astype(np.float64) / temperature, axis=1) for x in (teacher, student))
    np.testing.assert_allclose(found, temperature**2 * entropy(p, q, axis=1), rtol=1e-4)


def test_kl_of_a_single_output_is_that_of_yes_and_no() -> None:
    teacher, student = _numbers(6, 1) * 3, _numbers(6, 1)
    found = response_distance("kl", 2.0)(tf.constant(teacher), tf.constant(student)).numpy()
    p, q = (expit(x[:, 0].astype(np.float64) / 2) for x in (teacher, student))
    expected = 4 * (entropy([p, 1 - p], [q, 1 - q], axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_decisions_are_judged_by_the_cross_entropy() -> None:
    decision, logit = np.array([[0.0], [1.0], [1.0]]), np.array([[-2.0], [3.0], [-0.5]])
    found = cross_entropy(tf.constant(decision), tf.constant(logit)).numpy()
    p = expit(logit)
    expected = -(decision * np.log(p) + (1 - decision) * np.log(1 - p))
    np.testing.assert_allclose(found, expected[:, 0])
    features = _numbers(4, 3), _numbers(4, 3)
    np.testing.assert_allclose(
        squared_distance(*map(tf.constant, features)),
        ((features[0] - features[1]) ** 2).mean(axis=1),
        rtol=1e-5,
    )


def _huber(off: float) -> float:
    return 0.5 * off**2 if abs(off) <= 1 else abs(off) - 0.5


def _distances_by_loop(space: NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """Park et al., equations 5 and 6."""
    pairs = list(permutations(range(len(space)), 2))
    lengths = {(i, j): float(np.linalg.norm(space[i] - space[j])) for i, j in pairs}
    mean = np.mean([length for length in lengths.values() if length > 0])
    return {pair: length / mean for pair, length in lengths.items()}


def _angles_by_loop(space: NDArray[np.float32]) -> dict[tuple[int, int, int], float]:
    """Equation 8: the cosine of the angle at the first of three."""

    def direction(a: int, b: int) -> NDArray[np.float64]:
        difference = space[a].astype(np.float64) - space[b]
        length = float(np.linalg.norm(difference))
        return difference / length if length else difference

    indices = range(len(space))
    return {
        (i, j, k): float(direction(i, j) @ direction(i, k))
        for i, j, k in product(indices, repeat=3)
    }


@pytest.mark.parametrize(("distance", "angle"), [(1.0, 0.0), (0.0, 1.0), (25.0, 50.0)])
def test_relations_are_those_of_the_paper(distance: float, angle: float) -> None:
    teacher, student = _numbers(6, 5), _numbers(6, 3)
    teacher[4] = teacher[1]  # two events at the same place
    settings = RelationSettings(weight=1.0, distance=distance, angle=angle, group=6)
    found = relational_distance(settings)(tf.constant(teacher), tf.constant(student)).numpy()
    d_teacher, d_student = _distances_by_loop(teacher), _distances_by_loop(student)
    # the mean is over all pairs of a batch, those of an event with itself among them, as published
    d = sum(_huber(d_teacher[pair] - d_student[pair]) for pair in d_teacher) / 6**2
    a_teacher, a_student = _angles_by_loop(teacher), _angles_by_loop(student)
    a = sum(_huber(a_teacher[three] - a_student[three]) for three in a_teacher) / 6**3
    np.testing.assert_allclose(found, np.full(6, distance * d + angle * a), rtol=1e-4)


def test_relations_know_no_scale_no_place_and_no_rotation() -> None:
    teacher = _numbers(8, 4)
    rotation, _ = np.linalg.qr(_numbers(4, 4))
    moved = (3.0 * teacher @ rotation + 7.0).astype(np.float32)
    compare = relational_distance(RelationSettings(weight=1.0, group=8))
    assert compare(tf.constant(teacher), tf.constant(moved)).numpy() == pytest.approx(0, abs=1e-8)
    assert compare(tf.constant(teacher), tf.constant(moved[::-1].copy())).numpy()[0] > 0.01


@pytest.mark.parametrize("events", [2, 5, 8, 11])
def test_batches_are_cut_into_groups(events: int) -> None:
    """Every event is in a group; the last group overlaps where the batch is no multiple of it."""
    teacher, student = _numbers(events, 3), _numbers(events, 2)
    compare = relational_distance(RelationSettings(weight=1.0, group=4))
    found = compare(tf.constant(teacher), tf.constant(student)).numpy()
    size = min(4, events)
    starts = sorted({min(start, events - size) for start in range(0, events, size)})
    whole = relational_distance(RelationSettings(weight=1.0, group=256))
    parts = [
        whole(tf.constant(teacher[s : s + size]), tf.constant(student[s : s + size])).numpy()[0]
        for s in starts
    ]
    np.testing.assert_allclose(found, np.full(events, np.mean(parts)), rtol=1e-4)


def test_gradients_of_events_at_the_same_place_are_finite() -> None:
    student = tf.Variable(np.zeros((4, 2), np.float32))
    with tf.GradientTape() as tape:
        loss = relational_distance(RelationSettings(weight=1.0))(
            tf.constant(_numbers(4, 3)), student
        )
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(loss, student)).numpy()).all()
