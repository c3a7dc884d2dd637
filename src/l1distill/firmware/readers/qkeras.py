"""Reads a QKeras model into a quantized network, exactly as it was trained."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    BinaryLayer,
    Concatenate,
    Quantize,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.keras_graph import (
    MERGE_LAYERS,
    pairwise_merges,
    read_graph,
    read_merge,
    refuse,
)
from l1distill.firmware.readers.qkeras_activations import activation_type, exact_slope
from l1distill.firmware.readers.qkeras_layers import LAYER_READERS, NOT_EXACT, rescaling_exponents
from l1distill.firmware.readers.real_functions import real_function
from l1distill.firmware.readers.softmax import check_argmax, check_softmax, is_softmax


def from_qkeras(model: Any, functions: FunctionApproximator | None = None) -> Network:
    """Read a QKeras model into a :class:`Network`.

    Args:
        model: a Keras 2 model: an input quantizer, then quantized layers, which may branch and
            meet again. In front of the quantizer may stand a ``Rescaling`` by powers of two.
            Several outputs come out side by side.
        functions: makes sigmoids and tanhs that are not QKeras' own hard ones, and records how
            far off they are; such functions are refused if None.

    Returns:
        The network, its weights quantized and exactly on their grids.

    Raises:
        DataError: a layer is not supported; the line names it, its class and the reason.
    """
    graph = read_graph(model)
    check_softmax(graph, functions.softmax if functions else None)
    first = list(graph.segments[0].layers)
    exponents: tuple[int, ...] = ()
    if first and type(first[0]).__name__ == "Rescaling":
        exponents = rescaling_exponents(first.pop(0), graph.shape)
    input_type = _take_input_type(first, model)
    reader = _Reader(Builder(math.prod(graph.shape), input_type, exponents), functions)
    if len(graph.shape) > 1:
        reader.append(Reshape("events", shape=graph.shape))
    results = [reader.read_segment([reader.tensor], first)]
    for segment in graph.segments[1:]:
        sources = [results[source] for source in segment.sources]
        results.append(reader.read_segment(sources, segment.layers))
    reader.concatenate_outputs([results[output] for output in graph.outputs])
    return reader.builder.network()


def _take_input_type(first: list[Any], model: Any) -> FixedPoint:
    """Remove the input quantizer from the front of ``first`` and return its type."""
    layer = first.pop(0) if first else model.layers[0]
    if type(layer).__name__ != "QActivation":
        refuse(
            layer,
            "the inputs have no fixed-point type: begin with a QActivation(quantized_bits(...))",
        )
    return activation_type(layer, layer.quantizer)


@dataclass(frozen=True, kw_only=True)
class _LeakyRelu:
    """A LeakyReLU that waits for the quantizer behind it."""

    layer: Any
    slope: float


class _Reader:
    """Reader that appends the layers of a model to a network, segment by segment.

    Attributes:
        builder: appended to.
        tensor: the number of the tensor that the next layer takes.
    """

    def __init__(self, builder: Builder, functions: FunctionApproximator | None) -> None:
        self.builder = builder
        self.tensor = 0
        self._functions = functions
        self._leaky_relu: _LeakyRelu | None = None

    def read_segment(self, sources: Sequence[int], layers: Iterable[Any]) -> int:
        """Append layers one after the other; return the number of the last tensor."""
        remaining = list(layers)
        if len(sources) > 1:
            shapes = [self.builder.value_ranges[source].shape for source in sources]
            self._append_merge(read_merge(remaining.pop(0), shapes), sources)
        else:
            self.tensor = sources[0]
        for keras_layer in remaining:
            for layer in self._read_layer(keras_layer):
                self.append(layer)
        if self._leaky_relu is not None:
            self._refuse_leaky_relu(self._leaky_relu)
        return self.tensor

    def concatenate_outputs(self, tensors: Sequence[int]) -> None:
        """Append what puts several outputs side by side."""
        if len(tensors) == 1:
            return
        flat = []
        for number, tensor in enumerate(tensors):
            self.tensor = tensor
            if len(self._value_range.shape) > 1:
                self.append(Reshape(f"flat_end_{number}", shape=(self._value_range.size,)))
            flat.append(self.tensor)
        self._append_merge(Concatenate("ends", axis=0), flat)

    def append(self, layer: UnaryLayer) -> None:
        """Append a layer; a quantizer takes the slope of the LeakyReLU in front of it."""
        if self._leaky_relu is not None:
            leaky_relu, self._leaky_relu = self._leaky_relu, None
            if not isinstance(layer, Quantize) or not layer.type.signed:
                self._refuse_leaky_relu(leaky_relu)
            layer = replace(layer, negative_slope=leaky_relu.slope)
        self.tensor = self.builder.add(layer, self.tensor)

    @property
    def _value_range(self) -> ValueRange:
        return self.builder.value_ranges[self.tensor]

    def _read_layer(self, layer: Any) -> Iterator[UnaryLayer]:
        class_name = type(layer).__name__
        if class_name == "Activation" and layer.get_config()["activation"] == "linear":
            return
        if class_name == "LeakyReLU":
            slope = exact_slope(layer, float(layer.alpha))
            self._leaky_relu = _LeakyRelu(layer=layer, slope=slope)
            return
        if self._functions is not None:
            if is_softmax(layer) and class_name in ("Softmax", "Activation"):
                check_argmax(layer, self._value_range)
                yield from self._functions.argmax(layer.name, self._value_range)
                return
            real = real_function(layer)
            if real is not None:
                yield from self._functions.layers(
                    layer.name, real.function, self._value_range, real.result_type
                )
                return
        reader = LAYER_READERS.get(class_name)
        if reader is None:
            supported = ", ".join((*LAYER_READERS, *MERGE_LAYERS))
            refuse(layer, NOT_EXACT.get(class_name, f"is not supported; supported are {supported}"))
        yield from reader(layer, self._value_range)

    def _append_merge(self, merge: BinaryLayer, sources: Sequence[int]) -> None:
        self.tensor = sources[0]
        for layer, source in pairwise_merges(merge, sources):
            self.tensor = self.builder.add(layer, self.tensor, source)

    def _refuse_leaky_relu(self, leaky_relu: _LeakyRelu) -> NoReturn:
        refuse(
            leaky_relu.layer,
            "its results have no fixed-point type: put a QActivation(quantized_bits(...)) "
            "behind it",
        )
