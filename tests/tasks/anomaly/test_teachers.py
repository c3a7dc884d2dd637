"""The four autoencoders against tables written from section III of arXiv:2108.03986."""

import numpy as np
import pytest
from pydantic import ValidationError
from tensorflow import keras

from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.teachers import (
    Autoencoder,
    build_teacher,
    firmware_part,
    pruned_layers,
)
from tests.settings import conf

ARCHITECTURES = ("dnn_ae", "dnn_vae", "cnn_ae", "cnn_vae")

# layer, output shape without the batch, trainable parameters; for batch normalization two each
DNN_ENCODER = [
    ("BatchNormalization", (57,), 2 * 57),
    ("Dense", (32,), 57 * 32 + 32),
    ("BatchNormalization", (32,), 2 * 32),
    ("LeakyReLU", (32,), 0),
    ("Dense", (16,), 32 * 16 + 16),
    ("BatchNormalization", (16,), 2 * 16),
    ("LeakyReLU", (16,), 0),
]
DNN_CODE = [
    ("Dense", (3,), 16 * 3 + 3),
    ("BatchNormalization", (3,), 2 * 3),
    ("LeakyReLU", (3,), 0),
]
DNN_DECODER = [
    ("Dense", (16,), 3 * 16 + 16),
    ("BatchNormalization", (16,), 2 * 16),
    ("LeakyReLU", (16,), 0),
    ("Dense", (32,), 16 * 32 + 32),
    ("BatchNormalization", (32,), 2 * 32),
    ("LeakyReLU", (32,), 0),
    ("Dense", (57,), 32 * 57 + 57),
]
CNN_ENCODER = [
    ("Reshape", (19, 3, 1), 0),
    ("ZeroPadding2D", (20, 3, 1), 0),
    ("BatchNormalization", (20, 3, 1), 2),
    ("Conv2D", (18, 1, 16), 3 * 3 * 16),
    ("ReLU", (18, 1, 16), 0),
    ("MaxPooling2D", (6, 1, 16), 0),
    ("Conv2D", (6, 1, 32), 3 * 16 * 32),
    ("ReLU", (6, 1, 32), 0),
    ("MaxPooling2D", (2, 1, 32), 0),
    ("Flatten", (64,), 0),
]
CNN_DECODER = [
    ("Dense", (64,), 8 * 64 + 64),
    ("ReLU", (64,), 0),
    ("Reshape", (2, 1, 32), 0),
    ("Conv2D", (2, 1, 32), 3 * 32 * 32),
    ("ReLU", (2, 1, 32), 0),
    ("UpSampling2D", (6, 1, 32), 0),
    ("Conv2D", (6, 1, 16), 3 * 32 * 16),
    ("ReLU", (6, 1, 16), 0),
    ("UpSampling2D", (18, 3, 16), 0),
    ("ZeroPadding2D", (21, 5, 16), 0),
    ("Conv2D", (19, 3, 1), 3 * 3 * 16),
    ("Flatten", (57,), 0),
]
TABLES = {
    "dnn_ae": (DNN_ENCODER, [DNN_CODE], DNN_DECODER),
    "dnn_vae": (DNN_ENCODER, [[("Dense", (3,), 16 * 3 + 3)]] * 2, DNN_DECODER),
    "cnn_ae": (CNN_ENCODER, [[("Dense", (8,), 64 * 8 + 8)]], CNN_DECODER),
    "cnn_vae": (CNN_ENCODER, [[("Dense", (8,), 64 * 8 + 8)]] * 2, CNN_DECODER),
}


def settings(architecture: str) -> AutoencoderSettings:
    return AutoencoderSettings.model_validate(conf(f"teacher/{architecture}"))


def teacher(architecture: str) -> Autoencoder:
    return build_teacher(settings(architecture))


def _describe(chain: object) -> list[tuple[str, tuple[int, ...], int]]:
    return [
        (
            type(layer).__name__,
            layer.output_shape[1:],
            sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights),
        )
        for layer in chain  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_by_layer(architecture: str) -> None:
    ours = teacher(architecture)
    model = ours.model()
    encoder, latent, decoder = TABLES[architecture]
    assert _describe(ours.encoder) == encoder
    assert [_describe(head) for head in ours.latent] == latent
    assert _describe(ours.decoder) == decoder
    total = sum(n for chain in (encoder, *latent, decoder) for _, _, n in chain)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == total


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_and_biases_are_where_the_paper_has_them(architecture: str) -> None:
    ours = teacher(architecture)
    chain = [layer for part in (ours.encoder, *ours.latent, ours.decoder) for layer in part]
    for layer in chain:
        if isinstance(layer, keras.layers.Conv2D):
            assert not layer.use_bias
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            assert layer.activation.__name__ == "linear"  # it is a layer of its own
    kinds = {type(layer).__name__ for layer in chain}
    assert ("LeakyReLU" in kinds) == architecture.startswith("dnn")
    assert ("ReLU" in kinds) == architecture.startswith("cnn")


def test_pt_eta_and_phi_share_no_weights_in_the_first_convolution() -> None:
    model = teacher("cnn_ae").model()
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    assert first.kernel_size == (3, 3)
    assert first.padding == "valid"
    assert first.output_shape[2] == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_goes_on_the_fpga_gives_the_numbers_of_the_whole(architecture: str) -> None:
    ours = teacher(architecture)
    model = ours.model()
    events = np.random.default_rng(0).normal(size=(7, 57)).astype(np.float32)
    inputs = [events, np.zeros((7, ours.size), np.float32)] if ours.variational else events
    whole = model.predict(inputs, verbose=0)
    part = firmware_part(ours, model).predict(events, verbose=0)
    if ours.variational:
        np.testing.assert_allclose(np.concatenate(part, axis=1), whole[:, 57:], rtol=1e-5)
    else:
        np.testing.assert_allclose(part, whole[:, :57], rtol=1e-5)


@pytest.mark.parametrize("architecture", ["dnn_vae", "cnn_vae"])
def test_the_decoder_sees_mean_plus_noise_times_sigma(architecture: str) -> None:
    ours = teacher(architecture)
    model = ours.model()
    rng = np.random.default_rng(0)
    events = rng.normal(size=(5, 57)).astype(np.float32)
    noise = rng.normal(size=(5, ours.size)).astype(np.float32)
    outputs = model.predict([events, noise], verbose=0)
    mean, log_variance = outputs[:, 57 : 57 + ours.size], outputs[:, 57 + ours.size :]
    z = keras.layers.Input((ours.size,))
    x = z
    for layer in ours.decoder:
        x = layer(x)
    decoded = keras.Model(z, x).predict(mean + np.exp(0.5 * log_variance) * noise, verbose=0)
    np.testing.assert_allclose(outputs[:, :57], decoded, rtol=1e-4, atol=1e-5)


def test_only_the_encoder_of_a_vae_is_pruned() -> None:
    def decoders(architecture: str) -> set[str]:
        return {name for name in pruned_layers(teacher(architecture)) if "decoder" in name}

    assert decoders("dnn_vae") == decoders("cnn_vae") == set()
    assert decoders("dnn_ae")
    assert decoders("cnn_ae")
    assert {"encoder_1", "encoder_2", "mean", "log_variance"} <= set(
        pruned_layers(teacher("dnn_vae"))
    )


@pytest.mark.parametrize(
    ("architecture", "change", "words"),
    [
        ("dnn_vae", {"beta": None}, "needs a beta"),
        ("dnn_ae", {"beta": 0.5}, "set beta=null"),
        ("cnn_ae", {"score": "kl"}, "score=kl needs a VAE"),
    ],
)
def test_settings_that_make_no_sense_together(
    architecture: str, change: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        AutoencoderSettings.model_validate(settings(architecture).model_dump() | change)
