"""What all families of students share: inputs on the firmware's grid, and where the answers are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.models.tracing import trace_without_autograph

if TYPE_CHECKING:
    from tensorflow import keras

INPUT_RANGE = "input_range"
"""Name of the layer that divides inputs with ranges of their own by these."""
INPUT_QUANTIZER = "input_quantizer"
"""Name of the layer behind which every number is on the firmware's grid."""
INPUT_UNITS = "input_units"
"""Name of the layer that undoes the shift of inputs with ranges of their own."""
OUTPUT_LAYER = "score"
"""Name of the layer that takes the last hidden activations."""


class StudentBase(Settings):
    """What is chosen of every student, whatever its family."""

    family: str
    """What kind of model it is; each has settings of its own."""
    input_bits: int = Field(default=10, ge=2, le=16)
    """Bits of an input, with a sign; the port of one that is never negative has one less."""
    input_integer: int = Field(default=3, ge=0, le=8)
    """Integer bits of an input whose range the encoding leaves open, without the sign."""


def quantized_inputs(
    settings: StudentBase,
    features: int,
    input_exponents: Sequence[int] = (),
    in_units: bool = True,
) -> tuple[Any, Any]:
    """Return the input of a student and the tensor of its numbers on the firmware's grid.

    Args:
        settings: of the student.
        features: numbers that it reads.
        input_exponents: of each feature the power of two that its input's range is; empty:
            ``settings.input_integer`` for all. Ranges of their own are shifts before and behind
            the quantizer, which are free in firmware.
        in_units: whether the numbers are in the units of the input; else they are parts of the
            range of each input that has one of its own.
    """
    from qkeras import QActivation, quantized_bits
    from tensorflow.keras import layers

    trace_without_autograph()
    inputs = layers.Input((features,), name="inputs")
    integer = 0 if input_exponents else settings.input_integer
    x = inputs
    if input_exponents:
        x = layers.Rescaling([2.0**-power for power in input_exponents], name=INPUT_RANGE)(x)
    x = QActivation(quantized_bits(settings.input_bits, integer, alpha=1), name=INPUT_QUANTIZER)(x)
    if input_exponents and in_units:
        x = layers.Rescaling([2.0**power for power in input_exponents], name=INPUT_UNITS)(x)
    return inputs, x


def quantize_inputs(student: "keras.Model") -> "keras.Model":
    """Returns the part of the student that puts its inputs on the firmware's grid."""
    from tensorflow.keras import Model, layers

    names = [layer.name for layer in student.layers]
    if INPUT_UNITS in names:
        return Model(student.input, student.get_layer(INPUT_UNITS).output)
    numbers = student.get_layer(INPUT_QUANTIZER).output
    if INPUT_RANGE in names:
        powers = student.get_layer(INPUT_RANGE).scale
        numbers = layers.Rescaling(1 / np.asarray(powers))(numbers)
    return Model(student.input, numbers)


def input_limits(
    settings: StudentBase, features: int, input_exponents: Sequence[int] = ()
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest number that each input of a student holds.

    Args:
        settings: of the student.
        features: how many inputs.
        input_exponents: see :func:`quantized_inputs`.
    """
    powers = np.asarray(input_exponents or [settings.input_integer] * features)
    low = -np.exp2(powers)
    return low, -low - np.exp2(powers + 1 - settings.input_bits)
