"""The teachers: autoencoders of Govorkova et al. (arXiv:2108.03986), section III and figure I."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from l1distill.tasks.anomaly.events import N_OBJECTS
from l1distill.tasks.anomaly.losses import LOG_VARIANCE_LIMIT
from l1distill.tasks.anomaly.settings import AutoencoderSettings

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

N_INPUTS = 3 * N_OBJECTS
LEAKY_SLOPE = 0.25
"""Slope of the leaky ReLU below zero. The paper gives none; Keras's 0.3 is no power of two, which
firmware could not reproduce exactly."""

_WRAPPED = "prune_low_magnitude_"


def numbers_of_event(has_presence: bool) -> int:
    """Return how many numbers of an autoencoder's outputs are about the event, not latent."""
    return N_INPUTS + (N_OBJECTS if has_presence else 0)


class Autoencoder(NamedTuple):
    """An autoencoder as chains of layers, from which one network is put together.

    Attributes:
        name: of the network.
        encoder: from the flattened raw objects (n, 57) to the features behind the latent space.
        latent: heads on these features, one chain each: the coordinates of a plain autoencoder;
            the mean and the logarithm of the variance of a VAE.
        decoder: from the latent space to the reconstruction (n, 57), where pT is standardized and
            eta and phi are yet to pass through their tanh.
        size: of the latent space.
        presence: from what goes into the decoder's layer ``reconstruction`` to a logit of each
            object being there (n, 19); empty where that is not learned.
    """

    name: str
    encoder: "Sequence[keras.layers.Layer]"
    latent: "Sequence[Sequence[keras.layers.Layer]]"
    decoder: "Sequence[keras.layers.Layer]"
    size: int
    presence: "Sequence[keras.layers.Layer]" = ()

    @property
    def variational(self) -> bool:
        """Whether it is a VAE."""
        return len(self.latent) == 2

    @property
    def shared(self) -> int:
        """How many layers of the decoder reconstruction and presence have in common."""
        names = [layer.name for layer in self.decoder]
        return names.index("reconstruction") if self.presence else len(names)

    def model(self) -> "keras.Model":
        """Puts the network together.

        Returns:
            A model from events (n, 57), and for a VAE unit Gaussian noise (n, size), to outputs
            (n, 57 + size) or (n, 57 + 2 size): the reconstruction, then the latent numbers; between
            them 19 logits of presence, where that is learned. With noise of zero the decoder sees
            the mean.
        """
        from tensorflow.keras import Model, layers

        events = layers.Input((N_INPUTS,), name="events")
        features = _chain(events, self.encoder)
        latent = [_chain(features, head) for head in self.latent]
        inputs, z = [events], latent[0]
        if self.variational:
            noise = layers.Input((self.size,), name="noise")
            inputs.append(noise)
            # clipped to what an exponential can bear, in layers that every Keras file can hold
            reach = 0.5 * LOG_VARIANCE_LIMIT
            half = layers.Rescaling(0.5, offset=reach, name="half_log_variance")(latent[1])
            half = layers.ReLU(max_value=2.0 * reach, name="bounded_log_variance")(half)
            half = layers.Rescaling(1.0, offset=-reach, name="log_sigma")(half)
            sigma = layers.Activation("exponential", name="sigma")(half)
            z = layers.Add(name="z")([z, layers.Multiply(name="shift")([sigma, noise])])
        x = _chain(z, self.decoder[: self.shared])
        present = [_chain(x, self.presence)] if self.presence else []
        reconstruction = _chain(x, self.decoder[self.shared :])
        outputs = layers.Concatenate(name="outputs")([reconstruction, *present, *latent])
        return Model(inputs, outputs, name=self.name)

    def rebind(self, model: "keras.Model") -> "Autoencoder":
        """Returns the same chains, of the layers that a copy of the network has under these names.

        Args:
            model: a copy, perhaps with pruning wrappers around some of its layers.
        """
        layers = {layer.name.removeprefix(_WRAPPED): layer for layer in model.layers}

        def found(chain: "Sequence[keras.layers.Layer]") -> "list[keras.layers.Layer]":
            return [layers[layer.name] for layer in chain]

        return self._replace(
            encoder=found(self.encoder),
            latent=[found(head) for head in self.latent],
            decoder=found(self.decoder),
            presence=found(self.presence),
        )


def _chain(x: "tf.Tensor", chain: "Sequence[keras.layers.Layer]") -> "tf.Tensor":
    for layer in chain:
        x = layer(x)
    return x


def build_teacher(settings: AutoencoderSettings) -> Autoencoder:
    """Builds the untrained autoencoder."""
    build = _dnn if settings.architecture.startswith("dnn") else _cnn
    return build(settings)


def pruned_layers(autoencoder: Autoencoder) -> list[str]:
    """Names what is pruned: of a VAE the encoder alone, since only that goes on the FPGA."""
    chains = [autoencoder.encoder, *autoencoder.latent]
    if not autoencoder.variational:
        chains += [autoencoder.decoder, autoencoder.presence]
    return [layer.name for chain in chains for layer in chain]


def firmware_part(autoencoder: Autoencoder, model: "keras.Model") -> "keras.Model":
    """Cuts out of a trained network what goes on the FPGA.

    Args:
        autoencoder: its chains.
        model: the trained network.

    Returns:
        For an autoencoder a model from events (n, 57) to their reconstruction (n, 57); for a VAE
        its encoder, to the mean (n, size) and the logarithm of the variance (n, size).
    """
    from tensorflow.keras import Model

    ours = autoencoder.rebind(model)
    ends = [head[-1] for head in ours.latent] if ours.variational else [ours.decoder[-1]]
    return Model(model.inputs[0], [end.output for end in ends], name=f"{model.name}_deployed")


def _latent_names(variational: bool) -> list[str]:
    return ["mean", "log_variance"] if variational else ["latent"]


def _dnn(settings: AutoencoderSettings) -> Autoencoder:
    """The dense network: 57-32-16-3-16-32-57.

    Batch normalization comes first and between every layer and its leaky ReLU; the last layer has
    no activation. A VAE's mean and variance are plain dense layers.
    """
    from tensorflow.keras import layers

    def block(width: int, name: str) -> list[Any]:
        return [
            layers.Dense(width, name=name),
            layers.BatchNormalization(name=f"{name}_norm"),
            layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_activation"),
        ]

    first, second = settings.widths
    encoder = [
        layers.BatchNormalization(name="input_norm"),
        *block(first, "encoder_1"),
        *block(second, "encoder_2"),
    ]
    decoder = [
        *block(second, "decoder_1"),
        *block(first, "decoder_2"),
        layers.Dense(N_INPUTS, name="reconstruction"),
    ]
    presence = [layers.Dense(N_OBJECTS, name="presence")] if settings.presence else []
    if settings.variational:
        heads: list[list[Any]] = [
            [layers.Dense(settings.latent, name=name)] for name in _latent_names(True)
        ]
    else:
        names = block(settings.latent, "code")
        names[-1] = layers.LeakyReLU(LEAKY_SLOPE, name="latent")
        heads = [names]
    return Autoencoder(settings.architecture, encoder, heads, decoder, settings.latent, presence)


def _cnn(settings: AutoencoderSettings) -> Autoencoder:
    """The convolutional network.

    The text fixes padding to 20 rows, batch normalization, two convolutions (16 kernels 3x3
    without padding, 32 kernels 3x1) with ReLU, no biases, a dense latent space, 64 nodes reshaped
    to 2x1x32 and a mirrored decoder with upsampling. That 20 rows end in 2x1x32 fixes the rest: a
    pooling by 3 behind each convolution (20 -> 18 -> 6 -> 6 -> 2). It is the maximum, which every
    back end computes exactly; a mean over three is no binary fraction.
    """
    from tensorflow.keras import layers

    first, second = settings.widths

    def convolution(filters: int, kernel: tuple[int, int], name: str, padding: str) -> Any:
        return layers.Conv2D(filters, kernel, use_bias=False, padding=padding, name=name)

    encoder = [
        layers.Reshape((N_OBJECTS, 3, 1), name="objects"),
        layers.ZeroPadding2D(((1, 0), (0, 0)), name="padding"),
        layers.BatchNormalization(name="input_norm"),
        convolution(first, (3, 3), "encoder_1", "valid"),
        layers.ReLU(name="encoder_1_activation"),
        layers.MaxPooling2D((3, 1), name="pool_1"),
        convolution(second, (3, 1), "encoder_2", "same"),
        layers.ReLU(name="encoder_2_activation"),
        layers.MaxPooling2D((3, 1), name="pool_2"),
        layers.Flatten(name="flatten"),
    ]
    heads = [
        [layers.Dense(settings.latent, name=name)] for name in _latent_names(settings.variational)
    ]
    decoder = [
        layers.Dense(2 * second, name="decoder"),
        layers.ReLU(name="decoder_activation"),
        layers.Reshape((2, 1, second), name="rows"),
        convolution(second, (3, 1), "decoder_1", "same"),
        layers.ReLU(name="decoder_1_activation"),
        layers.UpSampling2D((3, 1), name="up_1"),
        convolution(first, (3, 1), "decoder_2", "same"),
        layers.ReLU(name="decoder_2_activation"),
        layers.UpSampling2D((3, 3), name="up_2"),
        # 18 rows become 21 so that the last, unpadded 3x3 kernel leaves the 19 of the input
        layers.ZeroPadding2D(((1, 2), (1, 1)), name="margins"),
        convolution(1, (3, 3), "reconstruction", "valid"),
        layers.Flatten(name="flat_reconstruction"),
    ]
    presence: list[Any] = []
    if settings.presence:  # one kernel over the three columns of an object and their margins
        presence = [
            layers.Conv2D(1, (3, 5), padding="valid", name="presence"),
            layers.Flatten(name="flat_presence"),
        ]
    return Autoencoder(settings.architecture, encoder, heads, decoder, settings.latent, presence)
