"""The loss of a quantized autoencoder, and a training with it."""

import numpy as np
import pytest
from tensorflow import keras

from l1distill.compression.pruning import strip, with_zeros_held
from l1distill.compression.qat import to_qkeras
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.tasks.anomaly.autoencoder import target
from l1distill.tasks.anomaly.losses import kl_divergence, reconstruction_error
from l1distill.tasks.anomaly.quantized_training import quantized_loss
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, Step, fit
from l1distill.training.settings import TrainingSettings
from tests.compression.test_qat import FLAT, X, linear_layers, small_teacher, types_of
from tests.firmware.networks import outputs
from tests.tasks.anomaly.test_autoencoder import CONSTANTS, EVENTS
from tests.tasks.anomaly.test_teachers import ARCHITECTURES

BETA = 0.3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_is_that_of_the_quantized_networks_own_answers(architecture: str) -> None:
    small = small_teacher(architecture)
    network = small.rounded(6)
    model = to_qkeras(network, "quantized")
    answers = evaluate(network, FLAT).astype(np.float32)
    if small.autoencoder.variational:
        decoder, size = small.autoencoder.decoder, small.autoencoder.size
        _, loss = quantized_loss(model, decoder, CONSTANTS, BETA)
        mean, log_variance = answers[:, :size], answers[:, size:]
        mse = reconstruction_error(target(CONSTANTS, EVENTS), keras.Sequential(decoder)(mean))
        expected = (1 - BETA) * mse + BETA * kl_divergence(mean, log_variance)
    else:
        _, loss = quantized_loss(model, None, CONSTANTS, None)
        expected = reconstruction_error(target(CONSTANTS, EVENTS), answers)
    assert np.std(expected) > 0
    np.testing.assert_allclose(loss([EVENTS], Step(False, None)), expected, rtol=1e-4)
    if small.autoencoder.variational:
        noisy = [loss([EVENTS], Step(True, np.array([0, seed], np.int32))) for seed in (1, 2)]
        assert not np.array_equal(*noisy), "it is trained with noise"


@pytest.mark.parametrize(("architecture", "bits"), [("dnn_ae", 4), ("cnn_vae", 8)])
def test_training_goes_on_in_fixed_point(architecture: str, bits: int) -> None:
    """As the stage does it: lower loss, the same types and zeros, and still bit for bit."""
    make_deterministic(1)
    small = small_teacher(architecture)
    network = small.rounded(bits)
    model = to_qkeras(network, "quantized", small.rounded(16))
    names = [layer.name for layer in linear_layers(network)]
    before = {name: model.get_layer(name).get_weights()[0] for name in names}
    held = with_zeros_held(model, names)
    decoder, beta = None, None
    if small.autoencoder.variational:
        decoder, beta = small.autoencoder.decoder, BETA
        decoding = [weight.numpy() for layer in decoder for weight in layer.trainable_weights]
    whole, loss = quantized_loss(held.model, decoder, CONSTANTS, beta)
    start = float(np.mean(loss([EVENTS], Step(False, None))))
    training = Fit(
        model=whole,
        loss=loss,
        settings=TrainingSettings(epochs=3, batch_size=50, learning_rate=0.002, patience=3),
        seed=1,
        callbacks=held.callbacks,
        best_from_epoch=held.full_from_epoch,
    )
    history = fit(training, [EVENTS], [EVENTS], lambda *_: None)
    assert min(history.validation_loss) < start

    trained = strip(held.model)
    for name in names:
        kernel = trained.get_layer(name).get_weights()[0]
        assert np.mean(before[name] == 0.0) == pytest.approx(0.5, abs=0.02)
        np.testing.assert_array_equal(kernel == 0.0, before[name] == 0.0, name)
        assert not np.array_equal(kernel, before[name])
    result, untrained = from_qkeras(trained), from_qkeras(model)
    assert types_of(result) == types_of(untrained)
    for layer in linear_layers(result):
        assert np.mean(layer.kernel == 0.0) >= 0.48
    np.testing.assert_array_equal(outputs(trained, X), evaluate(result, X))
    assert not np.array_equal(evaluate(result, X), evaluate(network, X))
    if decoder is not None:
        after = [weight.numpy() for layer in decoder for weight in layer.trainable_weights]
        assert len(after) > 4
        assert not any(map(np.array_equal, decoding, after)), "all of the decoder is trained along"
