"""The students: small QKeras networks, quantized from the first step of their training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tensorflow import keras

INPUT_QUANTIZER = "input_quantizer"
"""Name of the layer behind which every number is on the firmware's grid."""
INPUT_UNITS = "input_units"
"""Name of the layer that undoes the shift of inputs with ranges of their own."""
OUTPUT_LAYER = "score"
"""Name of the layer that takes the last hidden activations."""


class StudentSettings(Settings):
    """A multilayer perceptron and the width of every number in it.

    ``*_bits`` count all bits of a fixed-point number; ``*_integer`` those left of the binary
    point, without the sign.
    """

    layers: list[Annotated[int, Field(gt=0, le=4096)]] = Field(default=[32, 16], min_length=1)
    """Nodes of the hidden layers."""
    weight_bits: int = Field(default=6, ge=2, le=16)
    """Bits of a weight or bias."""
    weight_integer: int = Field(default=0, ge=0, le=8)
    """Integer bits of a weight or bias, without the sign."""
    activation_bits: int = Field(default=6, ge=2, le=16)
    """Bits of an activation of a hidden layer."""
    activation_integer: int = Field(default=2, ge=0, le=8)
    """Integer bits of an activation of a hidden layer."""
    input_bits: int = Field(default=10, ge=2, le=16)
    """Bits of an input, with a sign; the port of one that is never negative has one less."""
    input_integer: int = Field(default=3, ge=0, le=8)
    """Integer bits of an input whose range the encoding leaves open, without the sign."""
    output_bits: int = Field(default=14, ge=2, le=24)
    """Bits of an output."""
    output_integer: int = Field(default=4, ge=0, le=8)
    """Integer bits of an output, without the sign."""
    training: TrainingSettings = TrainingSettings(
        epochs=60, batch_size=64, learning_rate=0.003, patience=15
    )


def build_student(
    settings: StudentSettings,
    features: int,
    outputs: int = 1,
    input_exponents: Sequence[int] = (),
) -> "keras.Model":
    """Build the untrained student.

    Args:
        settings: its layers and the width of every number.
        features: numbers that it reads.
        outputs: numbers that it answers.
        input_exponents: of each feature the power of two that its input's range is; empty:
            ``settings.input_integer`` for all. Ranges of their own are shifts before and behind
            the quantizer, which are free in firmware.

    Returns:
        A model from scaled features (n, features) to answers (n, outputs), both on the firmware's
        grid.
    """
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu
    from tensorflow.keras import Model, layers

    weights = quantized_bits(settings.weight_bits, settings.weight_integer, alpha=1)
    inputs = layers.Input((features,), name="inputs")
    integer = 0 if input_exponents else settings.input_integer
    x = inputs
    if input_exponents:
        x = layers.Rescaling([2.0**-power for power in input_exponents], name="input_range")(x)
    x = QActivation(quantized_bits(settings.input_bits, integer, alpha=1), name=INPUT_QUANTIZER)(x)
    if input_exponents:
        x = layers.Rescaling([2.0**power for power in input_exponents], name=INPUT_UNITS)(x)
    for number, width in enumerate(settings.layers, start=1):
        x = QDense(width, kernel_quantizer=weights, bias_quantizer=weights, name=f"dense_{number}")(
            x
        )
        x = QActivation(
            quantized_relu(settings.activation_bits, settings.activation_integer),
            name=f"relu_{number}",
        )(x)
    x = QDense(outputs, kernel_quantizer=weights, bias_quantizer=weights, name=OUTPUT_LAYER)(x)
    x = QActivation(
        quantized_bits(settings.output_bits, settings.output_integer, alpha=1),
        name="score_quantizer",
    )(x)
    return Model(inputs, x, name="student")


def quantize_inputs(student: "keras.Model") -> "keras.Model":
    """Returns the part of the student that puts its inputs on the firmware's grid."""
    from tensorflow.keras import Model

    names = [layer.name for layer in student.layers]
    last = INPUT_UNITS if INPUT_UNITS in names else INPUT_QUANTIZER
    return Model(student.input, student.get_layer(last).output)


def input_limits(
    settings: StudentSettings, features: int, input_exponents: Sequence[int] = ()
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest number that each input of a student holds.

    Args:
        settings: of the student.
        features: how many inputs.
        input_exponents: see :func:`build_student`.
    """
    powers = np.asarray(input_exponents or [settings.input_integer] * features)
    low = -np.exp2(powers)
    return low, -low - np.exp2(powers + 1 - settings.input_bits)
