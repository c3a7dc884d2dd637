"""The CNN AE against a table written from section III and figure I of arXiv:2108.03986."""

import numpy as np
import pytest

from l1distill.models.teachers import TeacherSettings, build_teacher
from l1distill.models.training import TrainingSettings

# layer, output shape without the batch, trainable parameters
CNN_AE = [
    ("InputLayer", (19, 3, 1), 0),
    ("ZeroPadding2D", (20, 3, 1), 0),
    ("BatchNormalization", (20, 3, 1), 2),
    ("Conv2D", (18, 1, 16), 3 * 3 * 16),
    ("AveragePooling2D", (6, 1, 16), 0),
    ("Conv2D", (6, 1, 32), 3 * 16 * 32),
    ("AveragePooling2D", (2, 1, 32), 0),
    ("Flatten", (64,), 0),
    ("Dense", (8,), 64 * 8 + 8),
    ("Dense", (64,), 8 * 64 + 64),
    ("Reshape", (2, 1, 32), 0),
    ("Conv2D", (2, 1, 32), 3 * 32 * 32),
    ("UpSampling2D", (6, 1, 32), 0),
    ("Conv2D", (6, 1, 16), 3 * 32 * 16),
    ("UpSampling2D", (18, 3, 16), 0),
    ("ZeroPadding2D", (21, 5, 16), 0),
    ("Conv2D", (19, 3, 1), 3 * 3 * 16),
]


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]
    training = TrainingSettings(epochs=1, batch_size=8, learning_rate=1e-3, patience=1)
    return build_teacher(
        TeacherSettings(architecture="cnn_ae", latent=8, filters=(16, 32), training=training)
    )


def test_layer_by_layer(model) -> None:  # type: ignore[no-untyped-def]
    ours = []
    for layer in model.layers:
        shape = layer.output_shape
        shape = shape[0] if isinstance(shape, list) else shape
        trainable = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
        ours.append((type(layer).__name__, shape[1:], trainable))
    assert ours == CNN_AE


def test_convolutions_have_no_bias_and_relu_where_the_paper_says(model) -> None:  # type: ignore[no-untyped-def]
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert not any(layer.use_bias for layer in convolutions)
    activations = [layer.activation.__name__ for layer in convolutions]
    assert activations == ["relu", "relu", "relu", "relu", "linear"]
    assert model.get_layer("latent").activation.__name__ == "linear"


def test_pt_eta_and_phi_share_no_weights_in_the_first_convolution(model) -> None:  # type: ignore[no-untyped-def]
    first = next(layer for layer in model.layers if type(layer).__name__ == "Conv2D")
    assert first.kernel_size == (3, 3)
    assert first.padding == "valid"
    assert first.output_shape[2] == 1
