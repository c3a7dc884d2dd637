"""Reads the layers of a QKeras model, segment by segment, into the layers of a network."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.functions.scalar_functions import FUNCTIONS
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Concatenate,
    Quantize,
    QuantizeElements,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.value_range import ValueRange
from l1distill.firmware.readers import hgq
from l1distill.firmware.readers.division import Division, rounded_division
from l1distill.firmware.readers.merges import MERGE_LAYERS, Merge, read_merge
from l1distill.firmware.readers.plain_activations import (
    FUNCTION_LAYERS,
    Waiting,
    function_name,
    waiting_relu,
)
from l1distill.firmware.readers.qkeras_activations import quantizer_fraction, quantizer_layers
from l1distill.firmware.readers.qkeras_layers import LAYER_READERS, UNTYPED
from l1distill.firmware.readers.qkeras_weights import WEIGHT_QUANTIZERS
from l1distill.firmware.readers.real_functions import real_function
from l1distill.firmware.readers.refusal import refuse, refuse_class
from l1distill.firmware.readers.softmax import check_argmax
from l1distill.firmware.readers.untyped import TypeChooser, floating_constants

_NORMALIZATIONS = ("BatchNormalization", "QBatchNormalization", "Normalization")
"""Classes whose scales are numbers of floating point."""


class SegmentReader:
    """Reader that appends the layers of a model to a network, segment by segment.

    Attributes:
        builder: appended to.
        tensor: the number of the tensor that the next layer takes.
    """

    def __init__(
        self,
        builder: Builder,
        functions: FunctionApproximator | None,
        types: TypeChooser | None,
        has_input_type: bool,
    ) -> None:
        """Begin with the inputs.

        Args:
            builder: of the network, which has its inputs alone.
            functions: see :func:`.qkeras.from_qkeras`.
            types: likewise.
            has_input_type: whether the model brings the type of its inputs.
        """
        self.builder = builder
        self.tensor = 0
        self._functions = functions
        self._types = types
        self._has_input_type = has_input_type
        self._waiting: Waiting | None = None
        self._layer: Any = None
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
        for number, self._layer in enumerate(remaining, 1):
            self._behind = remaining[number:]
            for step in self._read_layer(self._layer):
                self._append_step(step)
        self._settle()
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
        """Append a layer, its constants rounded; a quantizer takes in the ReLU in front of it."""
        constants = floating_constants(layer)
        if constants:
            if self._types is None:
                _refuse_constants(self._layer, constants[0])
            layer = self._types.round_constants(layer, self._layer)
        layers: Sequence[UnaryLayer] = [layer]
        if self._waiting is not None:
            if isinstance(layer, QuantizeElements) or (
                isinstance(layer, Quantize) and layer.negative_slope == 1.0
            ):
                layers = self._waiting.with_quantizer(layer, self._value_range)
                self._waiting = None
            self._settle()
        for one in layers:
            self.tensor = self.builder.add(one, self.tensor)

    @property
    def _value_range(self) -> ValueRange:
        return self.builder.value_ranges[self.tensor]

    def _read_layer(self, layer: Any) -> Iterator[UnaryLayer | Division]:
        class_name = type(layer).__name__
        if class_name in FUNCTION_LAYERS:
            function = layer.activation if class_name == "Activation" else layer
            yield from self._read_function(layer, layer.name, function)
            return
        if class_name == "QActivation":
            yield from self._read_quantizer(layer)
            return
        if class_name == hgq.QUANTIZER:
            yield hgq.quantizer_layer(layer, self._value_range.shape)
            return
        self._settle()
        if class_name == hgq.TABLE:
            yield from hgq.table_layers(layer)
            return
        reader = LAYER_READERS.get(class_name)
        if reader is None:
            refuse_class(layer, (*LAYER_READERS, *FUNCTION_LAYERS, *MERGE_LAYERS))
        layers = reader(layer, self._value_range)
        if self._types is None or not self._is_untyped_normalization(layer):
            yield from layers
            yield from self._read_own_activation(layer)
        else:
            for normalization in layers:
                assert isinstance(normalization, UnaryLayer)
                yield self._types.shorten_constants(normalization, self.tensor)
            yield self._quantizer(layer, f"{layer.name}_quantizer", 1.0)

    def _is_untyped_normalization(self, layer: Any) -> bool:
        """Tell whether the results of a layer are too fine to go on, and nothing says their type.

        In a model that brings a type of its inputs they are kept exact.
        """
        return (
            not self._has_input_type
            and type(layer).__name__ in _NORMALIZATIONS
            and type(next(iter(self._behind), None)).__name__
            not in ("QActivation", *FUNCTION_LAYERS)
        )

    def _read_quantizer(self, layer: Any) -> Iterator[UnaryLayer]:
        real = real_function(layer) if self._functions is not None else None
        if real is not None:
            self._settle()
            yield from self._function(layer.name, real.function, real.result_type)
        elif type(layer.quantizer).__module__.startswith("qkeras"):
            yield from quantizer_layers(layer, layer.name, layer.quantizer, self._value_range)
        else:
            yield from self._read_function(layer, layer.name, layer.quantizer)

    def _read_own_activation(self, layer: Any) -> Iterator[UnaryLayer]:
        """Yield the layers that compute what a layer has as its ``activation``."""
        activation = getattr(layer, "activation", None)
        if activation is None or "Normalization" in type(layer).__name__:
            return
        name = f"{layer.name}_activation"
        if type(activation).__module__.startswith("qkeras"):
            yield from quantizer_layers(layer, name, activation, self._value_range)
        else:
            yield from self._read_function(layer, name, activation)

    def _read_function(self, layer: Any, name: str, function: Any) -> Iterator[UnaryLayer]:
        """Yield the layers of a function of Keras; a ReLU waits for its type."""
        kind = function_name(function)
        if kind == "linear":
            return
        self._settle()
        if kind in ("relu", "leaky_relu"):
            self._waiting = waiting_relu(layer, name, function)
        elif self._functions is None:
            refuse(layer, UNTYPED["Activation"])
        elif kind == "softmax":
            check_argmax(layer, self._value_range)
            self.tensor = self._functions.append_softmax(self.builder, self.tensor, name)
        elif kind in FUNCTIONS:
            result_type = None
            if FUNCTIONS[kind].integer is None and self._types is not None:
                result_type = self._types.choose_function_type(name, self.tensor, FUNCTIONS[kind])
            yield from self._function(name, kind, result_type)
        else:
            known = ", ".join(FUNCTIONS)
            refuse(layer, f"activation {kind} is not supported; use relu, {known} or LeakyReLU")

    def _function(
        self, name: str, function: str, result_type: FixedPoint | None
    ) -> Iterator[UnaryLayer]:
        assert self._functions is not None
        yield from self._functions.layers(name, function, self._value_range, result_type)

    def _settle(self) -> None:
        """Append the ReLU that waits for a quantizer, with a type that is chosen for it."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self.append(self._quantizer(waiting.layer, waiting.name, waiting.slope))

    def _quantizer(self, layer: Any, name: str, slope: float) -> Quantize:
        """Return a quantizer whose type is chosen."""
        if self._types is None:
            instead = "quantized_bits" if slope else "quantized_relu"
            refuse(
                layer,
                f"its results have no fixed-point type: put a QActivation({instead}(...)) behind "
                "it",
            )
        result_type = self._types.choose_result_type(name, self.tensor, slope)
        return Quantize(name, type=result_type, negative_slope=slope or 1.0)

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


def _refuse_constants(layer: Any, role: str) -> NoReturn:
    known = " or ".join(WEIGHT_QUANTIZERS)
    refuse(layer, UNTYPED.get(type(layer).__name__, f"its {role} needs {role}_quantizer={known}"))
