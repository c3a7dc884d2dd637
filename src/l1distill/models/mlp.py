"""The student family ``mlp``: small QKeras networks of dense layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from l1distill.models.students import OUTPUT_LAYER, NetworkSettings, quantized_inputs

if TYPE_CHECKING:
    from tensorflow import keras


class StudentSettings(NetworkSettings):
    """A multilayer perceptron and the width of every number in it.

    ``*_bits`` count all bits of a fixed-point number; ``*_integer`` those left of the binary
    point, without the sign.
    """

    family: Literal["mlp"] = "mlp"
    """What kind of model it is; each has settings of its own."""
    layers: list[Annotated[int, Field(gt=0, le=4096)]] = Field(default=[32, 16], min_length=1)
    """Nodes of the hidden layers."""


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
        input_exponents: see :func:`.students.quantized_inputs`.

    Returns:
        A model from scaled features (n, features) to answers (n, outputs), both on the firmware's
        grid.
    """
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu
    from tensorflow.keras import Model

    weights = quantized_bits(settings.weight_bits, settings.weight_integer, alpha=1)
    inputs, x = quantized_inputs(settings, features, input_exponents)
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
