"""The teachers: autoencoders of Govorkova et al. (arXiv:2108.03986), section III and figure I."""

from typing import TYPE_CHECKING, Any, Literal

from l1distill.models.training import TrainingSettings
from l1distill.settings import Settings

if TYPE_CHECKING:
    from tensorflow import keras


class TeacherSettings(Settings):
    """Which autoencoder, and how it is trained."""

    architecture: Literal["cnn_ae"]
    latent: int
    """Size of the latent space."""
    filters: tuple[int, int]
    """Filters of the encoder's two convolutions; the decoder mirrors them."""
    training: TrainingSettings


def build_teacher(settings: TeacherSettings) -> "keras.Model":
    """Builds the untrained autoencoder.

    Returns:
        A model from raw objects (n, 19, 3, 1) to its reconstruction (n, 19, 3, 1), where pT is
        standardised and eta and phi are yet to pass through their tanh.
    """
    return {"cnn_ae": _cnn_ae}[settings.architecture](settings)


def _cnn_ae(settings: TeacherSettings) -> "keras.Model":
    """The convolutional autoencoder.

    The text fixes padding to 20 rows, batch normalisation, two convolutions (16 kernels 3x3
    without padding, 32 kernels 3x1), no biases, a dense latent space, 64 nodes reshaped to
    2x1x32 and a mirrored decoder with upsampling. That 20 rows end in 2x1x32 fixes the rest: a
    pooling by 3 behind each convolution (20 -> 18 -> 6 -> 6 -> 2).
    """
    from tensorflow.keras import Model, layers

    first, second = settings.filters

    def convolution(filters: int, kernel: tuple[int, int], **options: Any) -> layers.Layer:
        return layers.Conv2D(filters, kernel, use_bias=False, **options)

    events = layers.Input((19, 3, 1), name="events")
    x = layers.ZeroPadding2D(((1, 0), (0, 0)))(events)
    x = layers.BatchNormalization()(x)
    x = convolution(first, (3, 3), activation="relu")(x)
    x = layers.AveragePooling2D((3, 1))(x)
    x = convolution(second, (3, 1), activation="relu", padding="same")(x)
    x = layers.AveragePooling2D((3, 1))(x)
    x = layers.Flatten()(x)
    latent = layers.Dense(settings.latent, name="latent")(x)

    x = layers.Dense(2 * second, activation="relu")(latent)
    x = layers.Reshape((2, 1, second))(x)
    x = convolution(second, (3, 1), activation="relu", padding="same")(x)
    x = layers.UpSampling2D((3, 1))(x)
    x = convolution(first, (3, 1), activation="relu", padding="same")(x)
    x = layers.UpSampling2D((3, 3))(x)
    # 18 rows become 21 so that the last, unpadded 3x3 kernel leaves the 19 of the input.
    x = layers.ZeroPadding2D(((1, 2), (1, 1)))(x)
    reconstruction = convolution(1, (3, 3), name="reconstruction")(x)
    return Model(events, reconstruction, name="cnn_ae")
