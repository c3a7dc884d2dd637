"""The anomaly teachers as the training sees them: a network, its loss, and its scores."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teachers import (
    N_INPUTS,
    Autoencoder,
    build_teacher,
    firmware_part,
    numbers_of_event,
    pruned_layers,
)
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

    from l1distill.distillation.open_teacher import Compute


class AnomalyTeacher:
    """An autoencoder of Govorkova et al. (arXiv:2108.03986).

    Args:
        settings: its architecture.
        standardization: pT over the training split, which its target is standardized with.
    """

    def __init__(self, settings: AutoencoderSettings, standardization: Standardization) -> None:
        """Make a teacher that has no network yet."""
        self._settings = settings
        self._standardization = standardization
        self._chains: Autoencoder | None = None

    @property
    def _autoencoder(self) -> Autoencoder:
        """The chains of layers; a copy of the network has layers of the same names."""
        if self._chains is None:
            self._chains = build_teacher(self._settings)
            self._chains.model()  # gives the layers their weights
        return self._chains

    def build(self) -> "keras.Model":
        """Build the untrained network, from events (n, 57)."""
        self._chains = build_teacher(self._settings)
        return self._chains.model()

    def prunable_layers(self) -> Sequence[str]:
        """Name the layers that pruning may touch: of a VAE those of the encoder alone."""
        return pruned_layers(self._autoencoder)

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        """Return the loss of an event: the MSE, for a VAE mixed with D_KL (eq. 1)."""
        from l1distill.tasks.anomaly.autoencoder import autoencoder_loss, unrolled

        compute = unrolled(self._autoencoder.rebind(model), batch_size)
        settings = self._settings
        return autoencoder_loss(compute, self._standardization, settings.beta, settings.presence)

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return every score that is defined: ``mse``, and of a VAE ``kl`` and ``rz``, (n,)."""
        from l1distill.tasks.anomaly.autoencoder import anomaly_scores, predict

        presence = self._settings.presence
        outputs = predict(model, items, has_presence=presence > 0)
        scores = anomaly_scores(outputs, self._standardization, items, presence)
        return {str(name): values for name, values in scores.items()}

    def latent_layers(self) -> Sequence[str]:
        """Name the layers of the latent space: of a VAE that of the means."""
        return [self._autoencoder.latent[0][-1].name]

    def outputs(self) -> int:
        """Return how many numbers a reconstruction has, 57, and 19 more with a presence term."""
        return numbers_of_event(self._settings.presence > 0)

    def compute(self, model: "keras.Model", layers: Sequence[str]) -> "Compute":
        """Return a TensorFlow function of events (n, 19, 3) to outputs and activations."""
        from l1distill.tasks.anomaly.open_autoencoder import compute

        return compute(model, layers)

    def loss_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]", step: Step) -> Any:
        """Return the loss of a reconstruction (n, 57), of a VAE's with its latent numbers."""
        from l1distill.tasks.anomaly.open_autoencoder import loss_of

        settings = self._settings
        constants = self._standardization
        return loss_of(outputs, arrays[0], constants, settings.beta, settings.presence)

    def answer_of(self, outputs: "tf.Tensor", arrays: "Sequence[tf.Tensor]") -> "tf.Tensor":
        """Return the score that students learn; of a reconstruction alone, its error."""
        from l1distill.tasks.anomaly.open_autoencoder import score_of

        settings = self._settings
        constants = self._standardization
        return score_of(outputs, arrays[0], constants, settings.score, settings.presence)

    def firmware_part(self, model: "keras.Model") -> "keras.Model":
        """Return what goes on the FPGA: an autoencoder whole, of a VAE the encoder."""
        return firmware_part(self._autoencoder, model)

    def firmware_inputs(self, items: NDArray[Any]) -> NDArray[Any]:
        """Return events as the network in fixed point takes them, (n, 57)."""
        return items.reshape(-1, N_INPUTS)

    def firmware_answer(self) -> str:
        """Return the score that the network on the FPGA is judged by.

        Of a VAE only the encoder is there to score with.

        Raises:
            ConfigError: the score holds a presence term, which goes on no FPGA.
        """
        settings = self._settings
        if settings.presence:
            raise ConfigError(
                f"teacher.presence={settings.presence:g}: a teacher with a presence term cannot be "
                "brought to fixed point; quantize one that was trained with teacher.presence=0"
            )
        return settings.score if not settings.variational or settings.score != "mse" else "kl"

    def firmware_answers(
        self, outputs: NDArray[np.floating[Any]], items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the scores of what the network on the FPGA gave for events.

        Args:
            outputs: (n, 57) the reconstruction, or of a VAE (n, 2 k) means and log-variances.
            items: (n, 19, 3) the raw events.
        """
        from l1distill.tasks.anomaly.autoencoder import Outputs, anomaly_scores

        values = outputs.astype(np.float32)
        if self._settings.variational:
            size = self._settings.latent
            split = Outputs(None, values[:, :size], values[:, size:])
        else:
            split = Outputs(values, None, None)
        scores = anomaly_scores(split, self._standardization, items)
        return {str(name): score for name, score in scores.items()}

    def quantized_loss(self, quantized: "keras.Model", model: "keras.Model") -> "tuple[Any, Loss]":
        """Return what holds all variables of a quantized training, and its loss.

        Args:
            quantized: QKeras model of :meth:`firmware_part`.
            model: the trained teacher in floating point; a VAE's decoder is trained with the
                encoder and thrown away.
        """
        from l1distill.tasks.anomaly.quantized_training import quantized_loss

        chains = self._autoencoder.rebind(model)
        decoder = chains.decoder if self._settings.variational else None
        return quantized_loss(quantized, decoder, self._standardization, self._settings.beta)
