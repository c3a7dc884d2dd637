"""Numbers of a QKeras model that have no fixed-point type, and what chooses one for them."""

from dataclasses import fields
from typing import Any, Protocol

from l1distill.firmware.functions.scalar_functions import Function
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import UnaryLayer

FLOAT = FixedPoint(signed=True, integer=0, fraction=0)
"""Stands for the type of constants that are still in floating point; compared with ``is``."""


class TypeChooser(Protocol):
    """What chooses the types that a model does not bring, and remembers what it has chosen."""

    def choose_input_type(self, inputs: int) -> tuple[FixedPoint, tuple[int, ...]]:
        """Return the type of all inputs, and their exponents; see :class:`.network.Network`."""
        ...

    def begin(self, builder: Builder) -> None:
        """Begin with the inputs of a network, whose type is chosen now."""
        ...

    def round_constants(self, layer: UnaryLayer, keras_layer: Any) -> UnaryLayer:
        """Return a layer with fixed-point types for the constants whose type is FLOAT."""
        ...

    def shorten_constants(self, layer: UnaryLayer, tensor: int) -> UnaryLayer:
        """Return a batch normalization of a tensor whose constants have fewer digits."""
        ...

    def choose_function_type(self, name: str, tensor: int, function: Function) -> FixedPoint:
        """Choose the type of the values of a function that grows without limit."""
        ...

    def choose_result_type(self, name: str, tensor: int, slope: float) -> FixedPoint:
        """Choose the type of a tensor's numbers behind a ReLU.

        Args:
            name: of the layer that gives them.
            tensor: the number of the tensor in the network.
            slope: by which negative numbers are multiplied first: 0 for a ReLU, 1 for none.
        """
        ...


def floating_constants(layer: UnaryLayer) -> list[str]:
    """Return the names of a layer's constants that are in floating point, such as ``kernel``."""
    return [
        field.name.removesuffix("_type")
        for field in fields(layer)
        if field.name.endswith("_type") and getattr(layer, field.name) is FLOAT
    ]
