"""The students: small QKeras networks, quantized from the first step of their training."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from tensorflow import keras

INPUT_QUANTIZER = "input_quantizer"
"""Name of the layer behind which every number is on the firmware's grid."""


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
    """Bits of an input."""
    input_integer: int = Field(default=3, ge=0, le=8)
    """Integer bits of an input, without the sign."""
    output_bits: int = Field(default=14, ge=2, le=24)
    """Bits of an output."""
    output_integer: int = Field(default=4, ge=0, le=8)
    """Integer bits of an output, without the sign."""
    training: TrainingSettings = TrainingSettings(
        epochs=60, batch_size=64, learning_rate=0.003, patience=15
    )


def build_student(settings: StudentSettings, features: int, outputs: int = 1) -> "keras.Model":
    """Build the untrained student.

    Args:
        settings: its layers and the width of every number.
        features: numbers that it reads.
        outputs: numbers that it answers.

    Returns:
        A model from scaled features (n, features) to answers (n, outputs), both on the firmware's
        grid.
    """
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu
    from tensorflow.keras import Model, layers

    weights = quantized_bits(settings.weight_bits, settings.weight_integer, alpha=1)
    inputs = layers.Input((features,), name="inputs")
    x = QActivation(
        quantized_bits(settings.input_bits, settings.input_integer, alpha=1), name=INPUT_QUANTIZER
    )(inputs)
    for number, width in enumerate(settings.layers, start=1):
        x = QDense(width, kernel_quantizer=weights, bias_quantizer=weights, name=f"dense_{number}")(
            x
        )
        x = QActivation(
            quantized_relu(settings.activation_bits, settings.activation_integer),
            name=f"relu_{number}",
        )(x)
    x = QDense(outputs, kernel_quantizer=weights, bias_quantizer=weights, name="score")(x)
    x = QActivation(
        quantized_bits(settings.output_bits, settings.output_integer, alpha=1),
        name="score_quantizer",
    )(x)
    return Model(inputs, x, name="student")


def quantize_inputs(student: "keras.Model") -> "keras.Model":
    """Returns the part of the student that puts its inputs on the firmware's grid."""
    from tensorflow.keras import Model

    return Model(student.input, student.get_layer(INPUT_QUANTIZER).output)
