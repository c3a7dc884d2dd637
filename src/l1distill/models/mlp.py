"""The student family ``mlp``: small QKeras networks of dense layers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from l1distill.models.student_network import NetworkLayers, NetworkSettings, network_inputs
from l1distill.models.students import OUTPUT_LAYER

if TYPE_CHECKING:
    from typing import Self

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

    def hidden_nodes(self) -> dict[str, int]:
        """Return the nodes of each hidden layer, by its name."""
        return dict(zip(self.weighted_layers(), self.layers, strict=False))

    def with_nodes(self, nodes: Mapping[str, int]) -> "Self":
        """Return the same student with other numbers of nodes in its hidden layers."""
        return self.model_copy(update={"layers": list(nodes.values())})

    def weighted_layers(self) -> list[str]:
        """Return the names of the layers with weights, in their order; the output layer is last."""
        return [*(f"dense_{number}" for number in range(1, len(self.layers) + 1)), OUTPUT_LAYER]


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
    from tensorflow.keras import Model

    layers = NetworkLayers(settings)
    inputs, x = network_inputs(settings, features, input_exponents)
    for nodes in settings.layers:
        x = layers.dense(x, nodes)
    return Model(inputs, layers.outputs(x, outputs), name="student")
