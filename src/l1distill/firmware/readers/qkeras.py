"""Reads a QKeras model into a quantized network, exactly as it was trained."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.layers import (
    Concatenate,
    Quantize,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers.division import Division, rounded_division
from l1distill.firmware.readers.keras_graph import read_graph, refuse
from l1distill.firmware.readers.merges import MERGE_LAYERS, Merge, read_merge
from l1distill.firmware.readers.ports import read_ports
from l1distill.firmware.readers.qkeras_activations import exact_slope, quantizer_fraction
from l1distill.firmware.readers.qkeras_layers import LAYER_READERS, NOT_EXACT
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
    inputs = len(graph.shapes)
    firsts = [list(segment.layers) for segment in graph.segments[:inputs]]
    ports = read_ports(graph.shapes, firsts, model)
    reader = _Reader(Builder(ports.inputs, ports.type, ports.exponents), functions)
    results = []
    for front, first in zip(ports.fronts, firsts, strict=True):
        reader.tensor = 0
        for layer in front:
            reader.append(layer)
        results.append(reader.read_segment([reader.tensor], first))
    for segment in graph.segments[inputs:]:
        sources = [results[source] for source in segment.sources]
        results.append(reader.read_segment(sources, segment.layers))
    reader.concatenate_outputs([results[output] for output in graph.outputs])
    return reader.builder.network()


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
        self._behind: Sequence[Any] = ()

    def read_segment(self, sources: Sequence[int], layers: Iterable[Any]) -> int:
        """Append layers one after the other; return the number of the last tensor."""
        remaining = list(layers)
        if len(sources) > 1:
            shapes = [self.builder.value_ranges[source].shape for source in sources]
            merge = read_merge(remaining.pop(0), shapes)
            self._behind = remaining
            self._append_merge(merge, sources)
        else:
            self.tensor = sources[0]
        for number, keras_layer in enumerate(remaining, 1):
            self._behind = remaining[number:]
            for layer in self._read_layer(keras_layer):
                self._append_step(layer)
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
        merge = Merge(before=((),) * len(flat), layer=Concatenate("ends", axis=0))
        self._append_merge(merge, flat)

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

    def _read_layer(self, layer: Any) -> Iterator[UnaryLayer | Division]:
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

    def _append_step(self, step: UnaryLayer | Division) -> None:
        if isinstance(step, UnaryLayer):
            self.append(step)
            return
        if step.is_exact:
            layers = step.exact_layers()
        else:
            fraction = quantizer_fraction(self._behind)
            rounded = rounded_division(step, self._value_range, fraction)
            layers = list(rounded.layers)
            if fraction is None and self._functions is not None:
                self._functions.add_mean(step.name, rounded.step, rounded.error)
        for layer in layers:
            self.append(layer)

    def _append_merge(self, merge: Merge, sources: Sequence[int]) -> None:
        tensors = []
        for before, source in zip(merge.before, sources, strict=True):
            self.tensor = source
            for layer in before:
                self.append(layer)
            tensors.append(self.tensor)
        self.tensor = tensors[0]
        for pair, tensor in zip(merge.pairs(), tensors[1:], strict=True):
            self.tensor = self.builder.add(pair, self.tensor, tensor)
        for step in merge.after:
            self._append_step(step)

    def _refuse_leaky_relu(self, leaky_relu: _LeakyRelu) -> NoReturn:
        refuse(
            leaky_relu.layer,
            "its results have no fixed-point type: put a QActivation(quantized_bits(...)) "
            "behind it",
        )
