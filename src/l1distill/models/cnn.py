"""The student family ``cnn``: small QKeras networks with convolutions, for items that have rows."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from l1distill.core.errors import ConfigError
from l1distill.models.student_network import NetworkLayers, NetworkSettings, network_inputs
from l1distill.models.students import OUTPUT_LAYER

if TYPE_CHECKING:
    from typing import Self

    from tensorflow import keras

Window = Annotated[list[Annotated[int, Field(gt=0, le=64)]], Field(min_length=2, max_length=2)]
"""Rows and columns."""


class CnnSettings(NetworkSettings):
    """A convolutional network over the rows and columns of an item, and the width of every number.

    ``*_bits`` count all bits of a fixed-point number; ``*_integer`` those left of the binary
    point, without the sign. A list has one number for each layer: convolutions, dense layers,
    output layer.
    """

    family: Literal["cnn"] = "cnn"
    """What kind of model it is; each has settings of its own."""
    filters: list[Annotated[int, Field(gt=0, le=256)]] = Field(default=[4, 4], min_length=1)
    """Filters of each convolution."""
    kernels: list[Window] = Field(default=[[1, 3], [3, 1]])
    """Rows and columns that a filter of each convolution sees; nothing is padded."""
    pools: list[Window] = Field(default=[[1, 1], [2, 1]])
    """Rows and columns of which the largest number is kept behind each convolution; [1, 1]: all."""
    layers: list[Annotated[int, Field(gt=0, le=4096)]] = Field(default=[16])
    """Nodes of the hidden dense layers behind the convolutions; may be empty."""

    def hidden_nodes(self) -> dict[str, int]:
        """Return the filters of convolutions and the nodes of hidden layers, by layer."""
        return dict(zip(self.weighted_layers(), [*self.filters, *self.layers], strict=False))

    def with_nodes(self, nodes: Mapping[str, int]) -> "Self":
        """Return the same student with other numbers of nodes in its hidden layers."""
        numbers, filters = list(nodes.values()), len(self.filters)
        return self.model_copy(update={"filters": numbers[:filters], "layers": numbers[filters:]})

    def weighted_layers(self) -> list[str]:
        """Return the names of the layers with weights, in their order; the output layer is last."""
        return [
            *(f"conv_{number}" for number in range(1, len(self.filters) + 1)),
            *(f"dense_{number}" for number in range(1, len(self.layers) + 1)),
            OUTPUT_LAYER,
        ]

    @model_validator(mode="after")
    def _one_window_for_each_convolution(self) -> "Self":
        for name in ("kernels", "pools"):
            windows = getattr(self, name)
            if len(windows) != len(self.filters):
                raise ValueError(
                    f"{name}={windows}: {len(windows)} for {len(self.filters)} convolutions "
                    f"(filters={self.filters}); give [rows, columns] for each"
                )
        return self


def check_cnn(settings: CnnSettings, shape: Sequence[int]) -> None:
    """Refuse items without rows and columns, or with too few for the convolutions.

    Args:
        settings: of the student.
        shape: of an item's features.

    Raises:
        ConfigError: it is so.
    """
    if len(shape) not in {2, 3}:
        raise ConfigError(
            f"student.family=cnn: the features of an item have the shape {list(shape)}, without "
            "rows and columns; choose student.family=mlp"
        )
    sides = list(shape[:2])
    for number, (kernel, pool) in enumerate(zip(settings.kernels, settings.pools, strict=True)):
        left = [(side - size + 1) // by for side, size, by in zip(sides, kernel, pool, strict=True)]
        if min(left) < 1:
            raise ConfigError(
                f"student.kernels: convolution {number + 1} takes {kernel} rows and columns, then "
                f"the largest of {pool} (student.pools), and there are {sides} left of "
                f"{list(shape[:2])}; choose smaller ones"
            )
        sides = left


def build_cnn(
    settings: CnnSettings,
    shape: Sequence[int],
    outputs: int = 1,
    input_exponents: Sequence[int] = (),
) -> "keras.Model":
    """Build the untrained student.

    Args:
        settings: its layers and the width of every number.
        shape: (rows, columns) of an item's features, or (rows, columns, channels).
        outputs: numbers that it answers.
        input_exponents: see :func:`.students.quantized_inputs`.

    Returns:
        A model from scaled features (n, features), which it puts into rows and columns, to answers
        (n, outputs), both on the firmware's grid.

    Raises:
        ConfigError: the items have no rows and columns, or too few.
    """
    from tensorflow.keras import Model, layers

    check_cnn(settings, shape)
    appended = NetworkLayers(settings)
    inputs, x = network_inputs(settings, math.prod(shape), input_exponents)
    x = layers.Reshape((*shape[:2], math.prod(shape[2:])), name="rows_and_columns")(x)
    parts = zip(settings.filters, settings.kernels, settings.pools, strict=True)
    for number, (filters, kernel, pool) in enumerate(parts, start=1):
        x = appended.convolution(x, filters, kernel)
        if math.prod(pool) > 1:
            x = layers.MaxPooling2D(tuple(pool), name=f"pool_{number}")(x)
    x = layers.Flatten(name="flat")(x)
    for nodes in settings.layers:
        x = appended.dense(x, nodes)
    return Model(inputs, appended.outputs(x, outputs), name="student")
