"""Students that are neural networks: what is chosen of all of them, and their layers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from l1distill.models.initializers import drawn_twice
from l1distill.models.students import OUTPUT_LAYER, StudentBase, quantized_inputs
from l1distill.models.tracing import trace_without_autograph
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from typing import Self


def _one_or_several(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


_Bits = Annotated[int, Field(ge=2, le=16)]
_Integer = Annotated[int, Field(ge=0, le=8)]
Bits = Annotated[
    Annotated[_Bits, Tag("one")] | Annotated[list[_Bits], Tag("several")],
    Discriminator(_one_or_several),
]
"""Bits of a number: one width for all layers, or a list with one for each."""
IntegerBits = Annotated[
    Annotated[_Integer, Tag("one")] | Annotated[list[_Integer], Tag("several")],
    Discriminator(_one_or_several),
]
"""The same of integer bits."""

_OF_WEIGHTS = ("weight_bits", "weight_integer", "bias_bits", "bias_integer")
_OF_ACTIVATIONS = ("activation_bits", "activation_integer")


class NetworkSettings(StudentBase):
    """What is chosen of every student that is a neural network.

    ``*_bits`` count all bits of a fixed-point number; ``*_integer`` those left of the binary
    point, without the sign. A list has one number for each layer, the output layer last; the
    output layer has no activation.
    """

    weight_bits: Bits = 6
    """Bits of a weight; one number, or a list with one for each layer."""
    weight_integer: IntegerBits = 0
    """Integer bits of a weight, without the sign; one number, or a list."""
    bias_bits: Bits | None = None
    """Bits of a bias; one number, or a list; null: as many as a weight."""
    bias_integer: IntegerBits | None = None
    """Integer bits of a bias, without the sign; one number, or a list; null: as a weight."""
    activation_bits: Bits = 6
    """Bits of an activation of a hidden layer; one number, or a list."""
    activation_integer: IntegerBits = 2
    """Integer bits of an activation of a hidden layer; one number, or a list."""
    output_bits: int = Field(default=14, ge=2, le=24)
    """Bits of an output."""
    output_integer: int = Field(default=4, ge=0, le=8)
    """Integer bits of an output, without the sign."""
    output_range: Literal["signed", "unit"] = "signed"
    """Of outputs: ``signed``; or ``unit``, from 0 to 1, for weights and probabilities: sums are cut
    off there, and gradients pass as if they were not; a sigmoid where nothing is rounded."""
    batch_norm: Literal["absent", "folded"] = "absent"
    """Batch normalization of hidden layers: ``folded`` trains with it, folded into the weights
    before they are quantized, so that the firmware has none."""
    quantized: bool = True
    """Whether numbers are rounded to their bits; ``false``: floating point to the end, with all
    ranges open, to study what a network can be reduced to. Firmware needs ``true``."""
    float_epochs: int = Field(default=0, ge=0)
    """Epochs of ``training.epochs``, from the first, that train without rounding; 0: quantized from
    the start."""
    training: TrainingSettings = TrainingSettings(
        epochs=60, batch_size=64, learning_rate=0.003, patience=15
    )

    def hidden_nodes(self) -> dict[str, int]:
        """Return the nodes of each hidden layer, filters of convolutions, by its name."""
        raise NotImplementedError(self.family)

    def with_nodes(self, nodes: Mapping[str, int]) -> "Self":
        """Return the same student with other numbers of nodes in its hidden layers."""
        raise NotImplementedError(self.family)

    def weighted_layers(self) -> list[str]:
        """Return the names of the layers with weights, in their order; the output layer is last."""
        raise NotImplementedError(self.family)

    @model_validator(mode="after")
    def _one_width_for_each_layer(self) -> "Self":
        layers = self.weighted_layers()
        for names, places in ((_OF_WEIGHTS, layers), (_OF_ACTIVATIONS, layers[:-1])):
            for name in names:
                widths = getattr(self, name)
                if isinstance(widths, list) and len(widths) != len(places):
                    raise ValueError(
                        f"{name}={widths}: give one number for each of the layers "
                        f"{', '.join(places)}, or a single number for all"
                    )
        return self

    @model_validator(mode="after")
    def _unit_ends_at_one(self) -> "Self":
        if self.output_range == "unit" and self.output_integer:
            raise ValueError(
                f"output_integer={self.output_integer}: with output_range=unit outputs end at 1; "
                "set output_integer=0"
            )
        return self

    @model_validator(mode="after")
    def _is_quantized_in_the_end(self) -> "Self":
        if self.float_epochs and not self.quantized:
            raise ValueError(
                f"float_epochs={self.float_epochs}: quantized=false rounds in no epoch; set "
                "float_epochs=0"
            )
        if self.float_epochs >= self.training.epochs:
            raise ValueError(
                f"float_epochs={self.float_epochs} leaves no epoch of training.epochs="
                f"{self.training.epochs} for the quantized network"
            )
        return self

    def width(self, name: str, place: int) -> int:
        """Return a width of one layer.

        Args:
            name: of the setting, such as ``weight_bits``; a bias without a width of its own has
                that of a weight.
            place: number of the layer, from 0.
        """
        widths = getattr(self, name)
        if widths is None:
            return self.width(name.replace("bias", "weight"), place)
        return int(widths[place] if isinstance(widths, list) else widths)


def network_inputs(
    settings: NetworkSettings, features: int, input_exponents: Sequence[int] = ()
) -> tuple[Any, Any]:
    """Return the input of a network and its numbers, on the firmware's grid if it is quantized.

    Args:
        settings: of the student.
        features: numbers that it reads.
        input_exponents: see :func:`.students.quantized_inputs`.
    """
    if settings.quantized:
        return quantized_inputs(settings, features, input_exponents)
    from tensorflow.keras import layers

    trace_without_autograph()
    inputs = layers.Input((features,), name="inputs")
    return inputs, inputs


def _built(layer: Any, x: Any) -> Any:
    with drawn_twice():
        return layer(x)


class NetworkLayers:
    """Appends the layers of a student, quantized each with its widths, or in floating point.

    A layer with weights is followed by its activation, until the output layer ends the network.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        """Begin with the first layer of the settings."""
        self._settings = settings
        self._names = settings.weighted_layers()
        self._place = 0

    def dense(self, x: Any, nodes: int) -> Any:
        """Append a hidden dense layer with its ReLU."""
        from qkeras import QDense

        return self._relu(_built(self._hidden(QDense)(nodes, **self._options()), x))

    def convolution(self, x: Any, filters: int, kernel: Sequence[int]) -> Any:
        """Append a convolution (rows, columns) without padding, with its ReLU."""
        from qkeras import QConv2D

        layer = self._hidden(QConv2D)(filters, tuple(kernel), **self._options())
        return self._relu(_built(layer, x))

    def outputs(self, x: Any, outputs: int) -> Any:
        """Append the output layer and the quantizer of its sums."""
        from qkeras import QActivation, QDense, quantized_bits
        from tensorflow.keras import layers

        settings = self._settings
        assert self._names[self._place] == OUTPUT_LAYER, self._names
        x = _built(QDense(outputs, **self._options()), x)
        is_unit = settings.output_range == "unit"
        if not settings.quantized:
            return layers.Activation("sigmoid", name="score_sigmoid")(x) if is_unit else x
        integer = settings.output_integer
        last = quantized_bits(settings.output_bits, integer, keep_negative=not is_unit, alpha=1)
        return QActivation(last, name="score_quantizer")(x)

    def _hidden(self, layer: Any) -> Any:
        """Return the class of a hidden layer, with batch normalization where that is asked for."""
        if self._settings.batch_norm == "absent":
            return layer
        from l1distill.models.folded_batch_norm import with_batch_norm

        return with_batch_norm(layer)

    def _options(self) -> dict[str, Any]:
        name = self._names[self._place]
        if not self._settings.quantized:
            return {"name": name}
        from qkeras import quantized_bits

        kernel, bias = (
            quantized_bits(
                self._settings.width(f"{of}_bits", self._place),
                self._settings.width(f"{of}_integer", self._place),
                alpha=1,
            )
            for of in ("weight", "bias")
        )
        return {"kernel_quantizer": kernel, "bias_quantizer": bias, "name": name}

    def _relu(self, x: Any) -> Any:
        from qkeras import QActivation, quantized_relu
        from tensorflow.keras import layers

        bits, integer = (
            self._settings.width(f"activation_{part}", self._place) for part in ("bits", "integer")
        )
        name = self._names[self._place].replace("dense_", "relu_").replace("conv_", "conv_relu_")
        self._place += 1
        if not self._settings.quantized:
            return layers.ReLU(name=name)(x)
        return QActivation(quantized_relu(bits, integer), name=name)(x)
