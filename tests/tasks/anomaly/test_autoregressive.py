"""The autoregressive teacher, against densities of scipy and numerical integrals."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import expit, softmax
from tensorflow import keras

from l1distill.core.errors import ConfigError
from l1distill.distillation.teacher import train_teacher
from l1distill.models import keras_files
from l1distill.stages import quantize
from l1distill.stages import teacher as teacher_stage
from l1distill.tasks.anomaly.autoregressive import (
    features,
    flipped,
    negative_log_likelihood,
    relative,
    slot_terms,
)
from l1distill.tasks.anomaly.autoregressive_teacher import AutoregressiveTeacher
from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.settings import AnomalyTeacherSettings, AutoregressiveSettings
from l1distill.tasks.anomaly.task import TASK
from l1distill.training.fit import Step, outside_of_training
from l1distill.training.settings import TrainingSettings
from tests.tasks.anomaly.test_autoencoder import CONSTANTS, EVENTS

COMPONENTS = 3
NUMBERS = 1 + 7 * COMPONENTS
SMALL = AutoregressiveSettings(slot_width=3, components=2, dropout=0.2)
RANKED = SMALL.model_copy(update={"score": "rank_ht"})


def _expected(seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """What a network may expect of every slot, the same of each, (19, numbers)."""
    rng = np.random.default_rng(seed)
    of_slot = rng.normal(0.0, 0.5, NUMBERS)
    of_slot[1 + 3 * COMPONENTS :] *= 0.5
    return np.tile(of_slot, (N_OBJECTS, 1)).astype(np.float32)


def _terms(events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    outputs = np.tile(_expected().reshape(1, -1), (len(events), 1))
    presence, objects = slot_terms(tf.constant(outputs), tf.constant(events, tf.float32))
    return presence.numpy(), objects.numpy()


def test_presence_sums_to_one_and_an_object_to_one_over_its_variables() -> None:
    """By the rectangle rule over log pT, eta and phi; the slots hold points of the grid each."""
    log_pt, eta = np.linspace(-16.0, 16.0, 90), np.linspace(-12.0, 12.0, 60)
    phi = np.linspace(-np.pi, np.pi, 30, endpoint=False)
    grid = np.stack(np.meshgrid(log_pt, eta, phi, indexing="ij"), axis=-1).reshape(-1, 3)
    grid[:, 0] = np.exp(grid[:, 0])
    events = np.concatenate([np.ones((len(grid) // 18, 1, 3)), grid.reshape(-1, 18, 3)], axis=1)
    presence, objects = _terms(events)
    cell = (log_pt[1] - log_pt[0]) * (eta[1] - eta[0]) * (phi[1] - phi[0])
    assert np.exp(-objects[:, 1:].astype(np.float64)).sum() * cell == pytest.approx(1.0, abs=1e-3)
    absent, _ = _terms(np.zeros((1, N_OBJECTS, 3)))
    np.testing.assert_allclose(np.exp(-presence[:1]) + np.exp(-absent), 1.0, rtol=1e-5)
    # in linear pT: the same events, and the measure that belongs to it
    outputs = tf.constant(np.tile(_expected().reshape(1, -1), (2, 1)))
    pair = tf.constant(events[:2], tf.float32)
    linear, log = (negative_log_likelihood(outputs, pair, kind) for kind in (True, False))
    np.testing.assert_allclose(
        (linear - log).numpy(), np.log(events[:2, :, 0]).sum(axis=1), rtol=1e-4, atol=1e-3
    )


def test_each_term_is_the_mixture_of_scipys_densities() -> None:
    rng = np.random.default_rng(3)
    variables = rng.normal(size=(3, 20, 19))
    events = np.stack([np.exp(variables[0]), *variables[1:]], axis=-1)
    presence, objects = _terms(events)
    logit, weight, *numbers = np.split(
        _expected()[0].astype(np.float64), [1, *(1 + COMPONENTS * i for i in range(1, 7))]
    )
    pt, pt_width, eta, eta_width, phi, concentration = numbers
    of_pt = stats.logistic.pdf(np.log(events[..., :1]), pt, np.exp(pt_width))
    of_eta = stats.norm.pdf(events[..., 1:2], eta, np.exp(eta_width))
    of_phi = stats.vonmises.pdf(events[..., 2:], np.exp(concentration), phi)
    of_eta[:, 0] = of_phi[:, 0] = 1.0  # MET has neither
    density = (softmax(weight) * of_pt * of_eta * of_phi).sum(axis=-1)
    np.testing.assert_allclose(objects, -np.log(density), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(presence, -np.log(expit(logit[0])), rtol=1e-5)


def test_what_is_expected_of_a_slot_depends_on_earlier_ones_alone() -> None:
    """By gradients: none from a slot or a later one, some from each that is earlier."""
    keras.utils.set_random_seed(1)
    model = AutoregressiveTeacher(SMALL).build()
    keep = [tf.ones((4, tensor.shape[1])) for tensor in model.inputs[1:]]
    inputs = tf.constant(np.random.default_rng(0).normal(size=(4, N_OBJECTS * 6)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = tf.reshape(model([inputs, *keep]), (4, N_OBJECTS, -1))
        by_slot = [tf.reduce_sum(tf.square(outputs[:, slot])) for slot in (0, 1, 7, 18)]
    for slot, total in zip((0, 1, 7, 18), by_slot, strict=True):
        gradient = tape.gradient(total, inputs, unconnected_gradients="zero").numpy()
        reached = np.abs(gradient.reshape(4, N_OBJECTS, 6)).sum(axis=(0, 2)) > 0
        np.testing.assert_array_equal(reached, np.arange(N_OBJECTS) < slot)


def test_events_are_mirrored_by_fair_coins_and_turned_ones_score_the_same() -> None:
    events = relative(tf.constant(np.tile(EVENTS, (4, 1, 1))))
    step = Step(True, tf.constant([3, 64]))
    mirrored, again = (flipped(events, step).numpy() for _ in range(2))
    np.testing.assert_array_equal(mirrored, again)
    signs = []
    np.testing.assert_array_equal(mirrored[..., 0], events[..., 0])
    for column in (1, 2):
        kept = (mirrored[..., column] == events[..., column].numpy()).all(axis=1)
        turned = (mirrored[..., column] == -events[..., column].numpy()).all(axis=1)
        assert (kept | turned).all()
        signs.append(kept)
        assert 0.42 < kept.mean() < 0.58  # 1200 coins: 5 standard deviations
    assert 0.4 < np.mean(signs[0] == signs[1]) < 0.6
    teacher = AutoregressiveTeacher(SMALL)
    model = teacher.build()
    turned = EVENTS.copy()
    turned[..., 2] = np.where(EVENTS[..., 0] > 0, EVENTS[..., 2] + 1.3, 0.0)
    there = EVENTS[:, 0, 0] > 0  # without a MET there is nothing to turn with
    before, after = (teacher.answers(model, e[there])["nll"] for e in (EVENTS, turned))
    np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-4)
    assert features(events).shape == (1200, 114)


def test_a_student_asks_for_what_training_and_scoring_say(tmp_path: Path) -> None:
    teacher = AutoregressiveTeacher(SMALL)
    model = teacher.build()
    keras_files.save(model, tmp_path / "teacher.h5")
    loaded = keras_files.load(tmp_path / "teacher.h5")
    (latent,) = teacher.latent_layers()
    events, step = [tf.constant(EVENTS)], outside_of_training()
    scores = teacher.answers(loaded, EVENTS)["nll"]
    np.testing.assert_array_equal(scores, teacher.answers(model, EVENTS)["nll"])
    outputs = teacher.compute(loaded, [latent])(events, step)
    assert outputs[latent].shape == (300, 19 * 3)
    np.testing.assert_allclose(teacher.answer_of(outputs["outputs"], events), scores, rtol=1e-5)
    np.testing.assert_allclose(teacher.loss_of(outputs["outputs"], events, step), scores, rtol=1e-5)
    loss = teacher.loss(loaded, 64)
    np.testing.assert_allclose(loss(events, step), scores, rtol=1e-5)
    one, same, other = (
        loss(events, Step(True, tf.constant([1, seed]))).numpy() for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.isclose(one, other).all()


class Killed(Exception):
    """Ends a training in its midst."""


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"layers": 1})
    training = TrainingSettings(epochs=2, batch_size=75, learning_rate=0.01)
    splits = [EVENTS[:225]], [EVENTS[225:]]

    def train(**options: Any) -> Any:
        return train_teacher(AutoregressiveTeacher(settings), *splits, training, **options)

    def kill(epoch: int, _: Mapping[str, float]) -> None:
        raise Killed

    whole = train()
    assert whole.history.validation_loss[1] < whole.history.validation_loss[0]
    with pytest.raises(Killed):
        train(checkpoint=tmp_path / "state.npz", on_epoch=kill)
    resumed = train(checkpoint=tmp_path / "state.npz")
    assert resumed.history == whole.history
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    best = AutoregressiveTeacher(settings).answers(whole.model, EVENTS[225:])["nll"].mean()
    assert whole.metrics()["best_validation_loss"] == pytest.approx(best, rel=1e-5)


def test_an_ensemble_is_the_mean_of_densities_of_networks_that_are_trained_apart(
    tmp_path: Path,
) -> None:
    """The second is, to the bit, what the next seed gives alone; killed in it, it goes on."""
    alone = SMALL.model_copy(update={"layers": 1})
    both = alone.model_copy(update={"members": 2, "score": "rank_ht"})
    training = TrainingSettings(epochs=2, batch_size=75, learning_rate=0.01)
    splits = [EVENTS[:225]], [EVENTS[225:]]
    teacher, told = AutoregressiveTeacher(both), list[int]()

    def train(settings: AutoregressiveSettings, **options: Any) -> Any:
        return train_teacher(AutoregressiveTeacher(settings), *splits, training, **options)

    def kill(epoch: int, _: Mapping[str, float]) -> None:
        told.append(epoch)
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        train(both, seed=5, checkpoint=tmp_path / "state.npz", on_epoch=kill)
    assert told == [0, 1, 2]
    trained = train(both, seed=5, checkpoint=tmp_path / "state.npz")
    second = train(alone, seed=6)
    assert trained.history.loss[2:] == second.history.loss
    members = [AutoregressiveTeacher(alone).build(), second.model]
    for name in ("hidden_1_dense", "expected"):
        weights = [trained.model.get_layer(f"member_{n}_{name}").get_weights() for n in (1, 2)]
        assert all(map(np.array_equal, weights[1], second.model.get_layer(name).get_weights()))
        assert not any(map(np.array_equal, weights[0], weights[1]))
        members[0].get_layer(name).set_weights(weights[0])
    keras_files.save(trained.model, tmp_path / "teacher.h5")
    loaded = keras_files.load(tmp_path / "teacher.h5")
    answers = teacher.answers(loaded, EVENTS)
    each = [AutoregressiveTeacher(alone).answers(one, EVENTS)["nll"] for one in members]
    mean = -np.log(np.mean(np.exp(-np.array(each, np.float64)), axis=0))
    np.testing.assert_allclose(answers["nll"], mean, rtol=1e-5)
    assert np.isfinite(answers["rank_ht"]).all()
    together = trained.metrics()["ensemble_validation_loss"]
    assert together == pytest.approx(answers["nll"][225:].mean(), rel=1e-5)
    assert "ensemble_validation_loss" not in second.metrics()
    asked = [tf.constant(EVENTS)]
    latent = teacher.latent_layers()
    outputs = AutoregressiveTeacher(both.model_copy(update={"score": "nll"})).compute(
        loaded, latent
    )(asked, outside_of_training())
    assert [outputs[name].shape for name in latent] == [(300, 19 * 3)] * 2


def test_ranks_with_ht_are_those_among_the_training_background(tmp_path: Path) -> None:
    """By the definition: shares of the background that are as rare, an exponential beyond 1%."""
    rng = np.random.default_rng(5)
    background = np.tile(EVENTS, (20, 1, 1)) * rng.lognormal(0.0, 0.3, (6000, 1, 1))
    background[..., 1:] = np.tile(EVENTS, (20, 1, 1))[..., 1:]
    teacher = AutoregressiveTeacher(RANKED)
    training = TrainingSettings(epochs=1, batch_size=3000)
    trained = train_teacher(teacher, [background], [background[:300]], training)
    keras_files.save(trained.model, tmp_path / "teacher.h5")
    loaded = keras_files.load(tmp_path / "teacher.h5")
    answers = teacher.answers(loaded, background)
    ranks = []
    for scores in (answers["nll"], background[:, 9:, 0].sum(axis=1)):
        order = stats.rankdata(scores, method="min") - 1
        ranks.append(-np.log(1.0 - order / len(scores)))
    inside = (ranks[0] < 4.0) & (ranks[1] < 4.0)
    assert 0.9 < inside.mean() < 0.98
    expected = np.maximum(*ranks)
    np.testing.assert_allclose(answers["rank_ht"][inside], expected[inside], rtol=0.02, atol=1e-3)
    high = background[:1] * np.array([1e3, 1.0, 1.0])  # beyond all of the background
    far, further = (teacher.answers(loaded, high * [scale, 1, 1])["rank_ht"][0] for scale in (1, 2))
    assert expected.max() < far < further
    likelihood = AutoregressiveTeacher(SMALL)
    scores = train_teacher(likelihood, [background], [background[:300]], training)
    np.testing.assert_array_equal(
        answers["nll"], likelihood.answers(scores.model, background)["nll"]
    )
    assert TASK.handed_on(RANKED) == "rank_ht"
    with pytest.raises(ValueError, match="no background was measured"):
        teacher.answers(teacher.build(), EVENTS)
    with pytest.raises(ConfigError, match=r"^distillation\.scheme=co_training: .*scheme=offline"):
        teacher.answer_of(tf.zeros((1, 1)), [tf.constant(EVENTS[:1])])


def test_its_score_is_learned_as_it_is() -> None:
    answers = np.array([-3.0, 0.0, 12.0], np.float32)
    assert TASK.handed_on(SMALL) == "nll"
    assert TASK.check_answers(answers, "nll") is None
    assert TASK.check_answers(answers[:, None], "nll") is not None
    target = TASK.fit_target(answers, "nll")
    assert target.transform == "standardized"
    np.testing.assert_allclose(target(answers)[:, 0], stats.zscore(answers), rtol=1e-5)


def test_what_it_cannot_do_is_refused(tmp_path: Path) -> None:
    CONSTANTS.write(tmp_path / "standardization.json")
    with pytest.raises(ConfigError, match=r"^distillation\.scheme=self: .* choose"):
        AutoregressiveTeacher(SMALL).outputs()
    with pytest.raises(ConfigError, match=rf"^teacher_folder={tmp_path}: .* fixed point"):
        quantize._quantizable(TASK, SMALL, tmp_path)
    settings: Any = SimpleNamespace(
        compression=SimpleNamespace(sparsity=0.5),
        teacher=SMALL,
        data=SimpleNamespace(folder=tmp_path),
    )
    with pytest.raises(ConfigError, match=r"^compression\.sparsity=0\.5: .* compression=none"):
        teacher_stage._check(settings, TASK)


@pytest.mark.parametrize("name", ["transformer", 3, None])
def test_an_architecture_that_there_is_not_is_refused_by_name(name: object) -> None:
    with pytest.raises(ConfigError, match=rf"^teacher\.architecture={name!r}: .* autoregressive"):
        AnomalyTeacherSettings.chosen_by({"architecture": name})
