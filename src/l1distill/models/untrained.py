"""Networks that have a shape and no training: what an architecture costs before it is trained."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.models.tracing import trace_without_autograph

if TYPE_CHECKING:
    from tensorflow import keras


class ShapeSettings(Settings):
    """A multilayer perceptron, the width of its numbers, and how many weights are left.

    ``*_bits`` count all bits of a fixed-point number; ``*_integer`` those left of the binary
    point, without the sign.
    """

    name: str = Field(default="qdistillnet", min_length=1)
    """Name of the network."""
    inputs: int = Field(default=16, ge=1, le=4096)
    """Number of inputs."""
    layers: list[Annotated[int, Field(gt=0, le=4096)]] = Field(default=[64, 32], min_length=1)
    """Nodes of the hidden layers, each with a ReLU behind it."""
    outputs: int = Field(default=1, ge=1, le=4096)
    """Number of outputs."""
    weight_bits: int = Field(default=8, ge=2, le=16)
    """Bits of a weight or bias."""
    weight_integer: int = Field(default=0, ge=0, le=8)
    """Integer bits of a weight or bias, without the sign."""
    activation_bits: int = Field(default=8, ge=2, le=16)
    """Bits of an input or activation."""
    activation_integer: int = Field(default=2, ge=0, le=8)
    """Integer bits of an input or activation, without the sign."""
    sigmoid: bool = True
    """Whether QKeras' hard sigmoid stands at the end."""
    sparsity: float = Field(default=0.75, ge=0.0, lt=1.0)
    """Share of the weights of each layer that are zero, biases apart; one is always left."""


def build_untrained(settings: ShapeSettings, seed: int) -> "keras.Model":
    """Build a network with random weights, the smallest of them pruned.

    Args:
        settings: its shape.
        seed: of the weights, which are drawn as a training would begin with them (Glorot and
            Bengio 2010); biases are drawn from the same range.

    Returns:
        A model from (n, inputs) to (n, outputs), both on the firmware's grid.
    """
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu, quantized_sigmoid
    from tensorflow.keras import Model, layers

    trace_without_autograph()
    weights = quantized_bits(settings.weight_bits, settings.weight_integer, alpha=1)
    bits, integer = settings.activation_bits, settings.activation_integer
    x = inputs = layers.Input((settings.inputs,), name="inputs")
    x = QActivation(quantized_bits(bits, integer, alpha=1), name="input_quantizer")(x)
    widths = [*settings.layers, settings.outputs]
    for number, width in enumerate(widths, start=1):
        dense = QDense(
            width, kernel_quantizer=weights, bias_quantizer=weights, name=f"dense_{number}"
        )
        x = dense(x)
        if number < len(widths):
            x = QActivation(quantized_relu(bits, integer), name=f"relu_{number}")(x)
    last = quantized_sigmoid(bits) if settings.sigmoid else quantized_bits(bits, integer, alpha=1)
    model = Model(inputs, QActivation(last, name="output_quantizer")(x), name=settings.name)
    rng = np.random.default_rng(seed)
    for number in range(1, len(widths) + 1):
        layer = model.get_layer(f"dense_{number}")
        rows, columns = layer.kernel.shape
        limit = (6.0 / (rows + columns)) ** 0.5
        kernel = rng.uniform(-limit, limit, (rows, columns))
        zeros = min(round(settings.sparsity * kernel.size), kernel.size - 1)
        kernel.ravel()[np.argsort(np.abs(kernel), axis=None, kind="stable")[:zeros]] = 0.0
        layer.set_weights([kernel, rng.uniform(-limit, limit, columns)])
    return model
