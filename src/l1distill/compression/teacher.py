"""A trained teacher brought to fixed point: rounded (PTQ), or trained on while rounded (QAT)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from l1distill.compression.qat_layers import starting_weights
from l1distill.compression.quantization import QuantizationSettings
from l1distill.firmware.network.network import Network
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Arrays, Fit, Loss, OnEpoch, fit, ignore_epoch

if TYPE_CHECKING:
    from tensorflow import keras


@runtime_checkable
class QuantizableTeacher(Protocol):
    """A teacher whose network, or a part of it, can go on the FPGA."""

    def firmware_part(self, model: "keras.Model") -> "keras.Model":
        """Return the part of the trained network that goes on the FPGA."""

    def firmware_inputs(self, items: NDArray[Any]) -> NDArray[Any]:
        """Return items as that part takes them, (n, inputs)."""

    def firmware_answer(self) -> str:
        """Return the name of the answer that the part is judged by."""

    def firmware_answers(self, outputs: NDArray[np.floating[Any]], items: NDArray[Any]) -> Any:
        """Return name of each answer to its values, from the part's outputs (n, outputs)."""

    def quantized_loss(
        self, quantized: "keras.Model", model: "keras.Model"
    ) -> "tuple[keras.Model, Loss]":
        """Return a model that holds every variable to train, and the loss.

        Args:
            quantized: QKeras model of the part.
            model: the trained teacher in floating point.
        """


def quantize_teacher(
    teacher: QuantizableTeacher,
    model: "keras.Model",
    settings: QuantizationSettings,
    train: Arrays,
    validation: Arrays,
    *,
    seed: int = 0,
    on_epoch: OnEpoch = ignore_epoch,
    checkpoint: Path | None = None,
) -> Network:
    """Bring a trained teacher to fixed point.

    Args:
        teacher: says what goes on the FPGA, and how it is trained on.
        model: its trained network.
        settings: method, bits, calibration, training.
        train: arrays (n, ...) of the training split; ranges are chosen on the first of them.
        validation: the same of the validation split.
        seed: of shuffling and noise.
        on_epoch: called after each epoch of QAT.
        checkpoint: file that keeps the state of QAT.

    Returns:
        The network in fixed point, exact in every back end.

    Raises:
        DataError: a layer has no counterpart in fixed point.

    Source:
        Govorkova et al., arXiv:2108.03986, section VI.
    """
    from l1distill.compression.pruning import strip, with_zeros_held
    from l1distill.compression.ptq import BITS, post_training_quantize
    from l1distill.compression.qat import to_qkeras
    from l1distill.firmware.readers.qkeras import from_qkeras

    calibration = teacher.firmware_inputs(train[0][: settings.calibration])
    part = teacher.firmware_part(model)
    network = post_training_quantize(part, settings.bits, calibration)
    if settings.method == "ptq":
        return network
    make_deterministic(seed)
    finest = post_training_quantize(part, BITS[-1], calibration)
    trained = [layer.name for layer in network.layers if starting_weights(layer, layer)]
    held = with_zeros_held(to_qkeras(network, f"{model.name}_qat", finest), trained)
    whole, loss = teacher.quantized_loss(held.model, model)
    training = Fit(
        model=whole, loss=loss, settings=settings.training, seed=seed, callbacks=held.callbacks
    )
    fit(training, train, validation, on_epoch, checkpoint)
    return from_qkeras(strip(held.model))


def network_sparsity(network: Network) -> float:
    """Return the share of weights that are zero in fixed point, biases apart."""
    weights = [starting_weights(layer, layer) for layer in network.layers]
    kernels = [kernel.ravel() for kernel, *_ in filter(None, weights)]
    return float(np.mean(np.concatenate(kernels) == 0.0))
