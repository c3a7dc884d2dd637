"""Targets, losses and scores of autoencoders, against other computations of the same."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from tensorflow import keras

from l1distill.core.errors import ConfigError
from l1distill.tasks.anomaly.autoencoder import (
    Outputs,
    anomaly_scores,
    autoencoder_loss,
    predict,
    target,
    unrolled,
)
from l1distill.tasks.anomaly.losses import kl_divergence, origin_z_score, reconstruction_error
from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teacher import AnomalyTeacher
from l1distill.training.fit import Step
from tests.tasks.anomaly.test_teachers import ARCHITECTURES, teacher


def _events(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    objects = rng.exponential(30.0, (n, 19, 3))
    objects[..., 1:] = rng.uniform(-2.0, 2.0, (n, 19, 2))
    objects[rng.random((n, 19)) < 0.6] = 0.0
    return objects.astype(np.float32)


EVENTS = _events(300)
CONSTANTS = Standardization.fit(EVENTS)


def test_the_target_agrees_with_scikit_learn() -> None:
    present = EVENTS[:, :, 0] > 0
    found = target(CONSTANTS, EVENTS).numpy()
    expected = StandardScaler().fit_transform(EVENTS[:, :, 0].astype(np.float64)) * present
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[..., 1:3], EVENTS[..., 1:])
    np.testing.assert_array_equal(found[..., 3], present)


def test_d_kl_is_the_divergence_of_the_two_gaussians() -> None:
    """By Monte Carlo, from the densities of scipy."""
    rng = np.random.default_rng(1)
    mean, log_variance = np.array([0.7, -1.2, 0.1]), np.array([0.3, -0.8, 0.0])
    q = multivariate_normal(mean, np.diag(np.exp(log_variance)))
    z = q.rvs(200_000, random_state=rng)
    sampled = np.mean(q.logpdf(z) - multivariate_normal(np.zeros(3)).logpdf(z))
    ours = kl_divergence(mean[None], log_variance[None]).numpy()[0]
    assert ours == pytest.approx(sampled, rel=0.02)
    assert kl_divergence(np.zeros((1, 3)), np.zeros((1, 3))).numpy()[0] == 0.0


def test_r_z_is_the_distance_of_the_origin() -> None:
    mean, log_variance = np.array([[3.0, 4.0]]), np.log(np.array([[9.0, 4.0]]))
    assert origin_z_score(mean, log_variance).numpy()[0] == pytest.approx(1.0 + 4.0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_score_is_defined_where_the_paper_defines_it(architecture: str) -> None:
    keras.utils.set_random_seed(2)
    model = teacher(architecture).model()
    outputs = predict(model, EVENTS)
    scores = anomaly_scores(outputs, CONSTANTS, EVENTS)
    variational = architecture.endswith("vae")
    assert list(scores) == (["mse", "kl", "rz"] if variational else ["mse"])
    mse = reconstruction_error(target(CONSTANTS, EVENTS), outputs.reconstruction).numpy()
    np.testing.assert_allclose(scores["mse"], mse, rtol=1e-5)
    for values in scores.values():
        assert values.shape == (300,)
        assert np.isfinite(values).all()
        assert values.std() > 0
    again = anomaly_scores(predict(model, EVENTS), CONSTANTS, EVENTS)
    for score in scores:
        np.testing.assert_array_equal(scores[score], again[score], "a trigger draws no lots")


@pytest.mark.parametrize("log_variance", [-500.0, -90.0, 90.0, 500.0])
def test_an_encoder_far_outside_its_training_still_gives_scores(log_variance: float) -> None:
    mean = np.linspace(-30, 30, 900, dtype=np.float32).reshape(300, 3)
    outputs = Outputs(None, mean, np.full_like(mean, log_variance))
    for values in anomaly_scores(outputs, CONSTANTS, EVENTS).values():
        assert np.isfinite(values).all()
        assert (values > 0).all()


@pytest.mark.parametrize("bias", [-500.0, 500.0])
def test_so_does_a_whole_network(bias: float) -> None:
    model = teacher("dnn_vae").model()
    layer = model.get_layer("log_variance")
    kernel, _ = layer.get_weights()
    layer.set_weights([kernel, np.full(3, bias, np.float32)])
    scores = anomaly_scores(predict(model, EVENTS), CONSTANTS, EVENTS)
    for values in scores.values():
        assert np.isfinite(values).all()


@pytest.mark.parametrize("batch", [10, 300])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_is_that_of_the_networks_own_answers(architecture: str, batch: int) -> None:
    """However the layers are computed, and with equation 1 for a VAE."""
    keras.utils.set_random_seed(2)
    autoencoder = teacher(architecture)
    model = autoencoder.model()
    scores = anomaly_scores(predict(model, EVENTS), CONSTANTS, EVENTS)
    for beta in (0.0, 0.3, 1.0) if autoencoder.variational else (None,):
        loss = autoencoder_loss(unrolled(autoencoder, batch), CONSTANTS, beta)(
            [EVENTS], Step(False, None)
        )
        expected = scores["mse"]
        if beta is not None:
            expected = (1 - beta) * scores["mse"] + beta * scores["kl"]
        np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("architecture", ["dnn_ae", "cnn_vae"])
def test_the_presence_term_is_a_cross_entropy_in_loss_and_score(architecture: str) -> None:
    """By its definition with scikit-learn, from the network's own outputs."""
    variational = architecture.endswith("vae")
    settings = AutoencoderSettings.model_validate(
        {
            "architecture": architecture,
            "widths": (8, 6),
            "latent": 4,
            "beta": 0.3 if variational else None,
            "presence": 0.7,
        }
    )
    keras.utils.set_random_seed(2)
    asked = AnomalyTeacher(settings, CONSTANTS)
    model = asked.build()
    assert asked.outputs() == 57 + 19
    outputs = predict(model, EVENTS, has_presence=True).reconstruction
    assert outputs is not None
    assert outputs.shape == (300, 57 + 19)
    present, likely = EVENTS[:, :, 0] > 0, 1.0 / (1.0 + np.exp(-outputs[:, 57:].astype(float)))
    entropy = [
        log_loss(is_there, p, labels=[0, 1]) for is_there, p in zip(present, likely, strict=True)
    ]
    mse = reconstruction_error(target(CONSTANTS, EVENTS), outputs[:, :57]).numpy()
    answers, events = asked.answers(model, EVENTS), [tf.constant(EVENTS)]
    np.testing.assert_allclose(answers["mse"], mse + 0.7 * np.array(entropy), rtol=1e-4)
    step = Step(False, tf.zeros(2, tf.int32))
    loss = 0.7 * answers["mse"] + 0.3 * answers["kl"] if variational else answers["mse"]
    for batch in (10, 300):
        np.testing.assert_allclose(asked.loss(model, batch)(events, step), loss, rtol=1e-3)
    computed = asked.compute(model, [])(events, step)["outputs"]
    np.testing.assert_allclose(asked.loss_of(computed, events, step), loss, rtol=1e-3)
    np.testing.assert_allclose(asked.answer_of(computed, events), answers["mse"], rtol=1e-3)
    # what stops at the reconstruction and the presence, as layers behind a student, has no latent
    alone = computed[:, : asked.outputs()]
    np.testing.assert_allclose(asked.answer_of(alone, events), answers["mse"], rtol=1e-3)
    with pytest.raises(ConfigError, match=r"^teacher\.presence=0\.7: .*teacher\.presence=0$"):
        asked.firmware_answer()


def test_a_vae_is_trained_with_noise_that_follows_from_the_seed() -> None:
    keras.utils.set_random_seed(2)
    autoencoder = teacher("cnn_vae")
    autoencoder.model()
    loss = autoencoder_loss(unrolled(autoencoder, 300), CONSTANTS, 0.1)
    one, same, other = (
        loss([EVENTS], Step(True, np.array(seed, np.int32))).numpy()
        for seed in ((0, 1), (0, 1), (0, 2))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("architecture", ["cnn_ae", "dnn_vae"])
def test_a_student_asks_for_what_training_and_scoring_say(architecture: str) -> None:
    """Loss and scores of :meth:`compute`'s outputs are those that the teacher is trained with."""
    variational = architecture.endswith("vae")
    settings = AutoencoderSettings.model_validate(
        {
            "architecture": architecture,
            "widths": (8, 6),
            "latent": 4,
            "beta": 0.3 if variational else None,
            "score": "kl" if variational else "mse",
        }
    )
    asked = AnomalyTeacher(settings, CONSTANTS)
    model = asked.build()
    (latent,) = asked.latent_layers()
    events = [tf.constant(EVENTS)]
    step = Step(False, tf.zeros(2, tf.int32))
    outputs = asked.compute(model, [latent])(events, step)
    plain = predict(model, EVENTS)
    np.testing.assert_allclose(outputs["outputs"][:, :57], plain.reconstruction, atol=1e-5)
    if variational:
        np.testing.assert_allclose(outputs[latent], plain.mean, atol=1e-5)
    assert outputs[latent].shape == (300, 4)
    loss = asked.loss(model, 64)(events, step)
    np.testing.assert_allclose(asked.loss_of(outputs["outputs"], events, step), loss, rtol=1e-4)
    scores = asked.answers(model, EVENTS)[settings.score]
    np.testing.assert_allclose(asked.answer_of(outputs["outputs"], events), scores, rtol=1e-4)
    # a reconstruction alone, as that of layers behind a student, has an error and no D_KL
    alone = outputs["outputs"][:, : asked.outputs()]
    error = asked.answers(model, EVENTS)["mse"]
    np.testing.assert_allclose(asked.answer_of(alone, events), error, rtol=1e-4)
    np.testing.assert_allclose(asked.loss_of(alone, events, step), error, rtol=1e-4)
    if variational:  # noise is drawn in training, the same from the same seed
        noisy = [
            asked.compute(model, [])(events, Step(True, tf.constant([1, seed])))["outputs"].numpy()
            for seed in (2, 2, 3)
        ]
        np.testing.assert_array_equal(noisy[0][:, 57:], noisy[1][:, 57:])
        assert not np.array_equal(noisy[0][:, :57], noisy[2][:, :57])
