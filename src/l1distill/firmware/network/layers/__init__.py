"""The layers of a quantized network: what each computes, exactly, and its value range."""

from l1distill.firmware.network.layers.base import (
    BinaryLayer,
    Layer,
    UnaryLayer,
    layer_classes,
    value_range_after,
)
from l1distill.firmware.network.layers.elementwise import Quantize, QuantizeElements, Square
from l1distill.firmware.network.layers.linear import Affine, Conv2D, Dense, Padding
from l1distill.firmware.network.layers.lookup import Lookup
from l1distill.firmware.network.layers.merges import Add, Concatenate, Multiply, Subtract
from l1distill.firmware.network.layers.shapes import (
    MaxPool2D,
    Reshape,
    Select,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.layers.trees import DecisionTrees

__all__ = [
    "Add",
    "Affine",
    "Arithmetic",
    "BinaryLayer",
    "Concatenate",
    "Conv2D",
    "DecisionTrees",
    "Dense",
    "Layer",
    "Lookup",
    "MaxPool2D",
    "Multiply",
    "Padding",
    "Quantize",
    "QuantizeElements",
    "Reshape",
    "Select",
    "Square",
    "Subtract",
    "UnaryLayer",
    "UpSample2D",
    "ZeroPad2D",
    "layer_classes",
    "value_range_after",
]

Arithmetic = Add | Subtract | Multiply
"""Element by element of two tensors."""
