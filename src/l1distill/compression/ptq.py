"""Post-training quantization: a network in floating point becomes one in fixed point."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.compression.batch_norm_folding import fold_batch_normalization
from l1distill.compression.float_layers import (
    Activation,
    ArgmaxStep,
    FunctionStep,
    NumericStep,
    SlopeStep,
    Step,
)
from l1distill.compression.float_model import Part, read_float_model
from l1distill.compression.integer_bits import (
    HEADROOM,
    TOLERANCE,
    best_integer_bits,
    constant_type,
    result_type,
)
from l1distill.compression.rounding import needs_rounding, round_constants
from l1distill.core.errors import ConfigError, DataError
from l1distill.firmware.functions.activations import FunctionApproximator, slope_layers
from l1distill.firmware.functions.scalar_functions import Function
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Quantize,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.merges import Merge
from l1distill.firmware.readers.softmax import check_argmax
from l1distill.firmware.readers.wiring import input_slice

BITS = range(2, 17)


def post_training_quantize(
    model: Any,
    bits: int,
    calibration: ArrayLike,
    input_type: FixedPoint | None = None,
    functions: FunctionApproximator | None = None,
) -> Network:
    """Quantize a trained network: give every number ``bits`` bits, without training it again.

    Each kernel, bias and activation has one type, which rounds half to even and saturates. Its
    integer bits are those of the least mean square error: over the tensor for constants, over the
    calibration events, through the layers that are quantized already, for activations. With many
    bits that clips nothing; with few it clips what is rare and large, so that the rest is still
    told apart. An activation's range is made up to four times as wide as what was seen where that
    costs next to nothing (a hundred-thousandth of the mean square), since signals reach further
    than the background.

    Every input and every output of the last layer has a range of its own, ``bits`` bits wide:
    pT [GeV], eta and phi have little in common. Ranges differ by powers of two, which only move
    the binary point.

    Batch normalization disappears into the linear layer before it, or else behind it: each fold
    saves a rounding. In front of a layer, the power of two in each channel's scale remains as a
    shift and only the rest, between 0.7 and 1.4, is multiplied into the kernel: seldom filled
    slots have scales a hundred times those of others, and one type for all their weights would
    leave the others none of few bits. Where a ReLU stands in between, the offset stays with the
    shift and the rest of the scale still moves on. Where zeros that a convolution adds stand in
    between, or no linear layer follows, that rest and the offset stay as a layer and get ``bits``
    bits each.

    Args:
        model: a Keras 2 model in floating point, of the layers in
            :data:`.float_layers.LAYER_READERS`, in chains that branch and meet again in one of
            :data:`.merges.MERGE_LAYERS`.
        bits: 2 to 16.
        calibration: (n, ...) inputs of the model, such as a thousand events of the training split.
        input_type: the type of all inputs, where they are scaled already; ``None`` for a range of
            each input's own, from the calibration.
        functions: makes sigmoid and tanh, and records how far off they are; with ``bits`` bits
            and its own number of pieces if None.

    Returns:
        The network in fixed point; its inputs are those of the model, flattened.

    Raises:
        ConfigError: ``bits`` is out of range.
        DataError: a layer is not supported or not exact, or the calibration does not fit.
    """
    if bits not in BITS:
        raise ConfigError(f"bits={bits}: post-training quantization takes {BITS[0]} to {BITS[-1]}")
    functions = functions or FunctionApproximator(bits)
    shapes, parts = read_float_model(model, functions.softmax)
    events = np.asarray(calibration, dtype=np.float64)
    inputs = sum(map(math.prod, shapes))
    if len(events) == 0 or not np.isfinite(events).all() or events[0].size != inputs:
        expected = shapes[0] if len(shapes) == 1 else (inputs,)
        raise DataError(
            f"calibration events of shape {events.shape}: give the model (events, "
            f"{', '.join(map(str, expected))}) finite numbers"
        )
    events = events.reshape(len(events), -1)
    exponents: tuple[int, ...] = ()
    if input_type is None:
        integers = best_integer_bits(events, bits, tolerance=TOLERANCE, headroom=HEADROOM)
        exponents = tuple(integers.tolist())
        input_type = FixedPoint(signed=True, integer=0, fraction=bits - 1)
    for number, front in enumerate(_fronts(shapes, exponents)):
        parts[number] = replace(parts[number], steps=(*front, *parts[number].steps))
    values = input_type.quantize(events / np.ldexp(1.0, exponents or (0,)))
    builder = Builder(events.shape[1], input_type, exponents)
    _Quantizer(builder, bits, values, functions).append_parts(
        [replace(part, steps=fold_batch_normalization(part.steps)) for part in parts]
    )
    return builder.network()


def _fronts(
    shapes: Sequence[tuple[int, ...]], exponents: tuple[int, ...]
) -> Iterator[tuple[UnaryLayer, ...]]:
    """Yield for each input of a model the layers between the ports and its tensor."""
    inputs, start = sum(map(math.prod, shapes)), 0
    for number, shape in enumerate(shapes):
        size, front = math.prod(shape), list[UnaryLayer]()
        several = len(shapes) > 1
        if several:
            front += input_slice(number, start, size, inputs)
        if exponents:
            scale = np.ldexp(1.0, np.asarray(exponents[start : start + size]))
            front.append(Affine.exact(f"input_{number}_range" if several else "inputs", scale))
        if len(shape) > 1:
            front.append(Reshape(f"input_{number}_shape" if several else "events", shape=shape))
        yield tuple(front)
        start += size


class _Quantizer:
    """Quantizes step by step, with the calibration events at hand."""

    def __init__(
        self,
        builder: Builder,
        bits: int,
        values: NDArray[np.float64],
        functions: FunctionApproximator,
    ) -> None:
        """Begin at the inputs, whose values are those of the calibration events."""
        self._builder = builder
        self._bits = bits
        self._functions = functions
        self._values = values
        self._tensor = 0

    def append_parts(self, parts: Sequence[Part]) -> None:
        """Append the quantized layers of all parts."""
        results: list[tuple[int, NDArray[np.float64]]] = []
        events = self._values
        for part in parts:
            if not part.sources:
                self._tensor, self._values = 0, events
            elif part.merge is None:
                self._tensor, self._values = results[part.sources[0]]
            else:
                self._append_merge(part.merge, [results[source] for source in part.sources])
            self._append_steps(part.steps, is_last=part is parts[-1])
            results.append((self._tensor, self._values))

    def _append_steps(self, steps: Sequence[Step], is_last: bool) -> None:
        rounded = [number for number, step in enumerate(steps) if needs_rounding(step)]
        # outputs that no activation follows are quantized one by one
        rounds_outputs = bool(
            is_last
            and rounded
            and not isinstance(steps[rounded[-1]], Activation)
            and not isinstance(steps[-1], ArgmaxStep)
        )
        for number, step in enumerate(steps):
            following = steps[number + 1] if number + 1 < len(steps) else None
            if isinstance(step, Activation):
                self._append_activation(step)
                continue
            if isinstance(step, NumericStep):
                self._append_function(step)
                continue
            if isinstance(step, UnaryLayer):
                layer = round_constants(step, self._choose_type)
                assert isinstance(layer, UnaryLayer)
                self._append(layer)
            if rounds_outputs and number == rounded[-1]:
                continue
            if number in rounded and not isinstance(following, Activation | ArgmaxStep):
                self._append_activation(Activation(name=f"{step.name}_quantizer", slope=1.0))
        if rounds_outputs:
            self._round_outputs()

    def _round_outputs(self) -> None:
        """Give each output a range of its own."""
        if self._values.ndim > 2:
            self._append(Reshape("flat_outputs", shape=(self._values[0].size,)))
        integers = best_integer_bits(
            self._values, self._bits, tolerance=TOLERANCE, headroom=HEADROOM
        )
        self._append(Affine.exact("outputs_in", np.ldexp(1.0, -integers)))
        output_type = FixedPoint(signed=True, integer=0, fraction=self._bits - 1)
        self._append(Quantize("outputs", type=output_type))
        self._append(Affine.exact("outputs_out", np.ldexp(1.0, integers)))

    def _append(self, layer: UnaryLayer) -> None:
        self._tensor = self._builder.add(layer, self._tensor)
        self._values = layer.apply(self._values)

    def _append_merge(
        self, merge: Merge, sources: Sequence[tuple[int, NDArray[np.float64]]]
    ) -> None:
        tensors = []
        for before, source in zip(merge.before, sources, strict=True):
            self._tensor, self._values = source
            for layer in before:
                self._append(layer)
            tensors.append((self._tensor, self._values))
        self._tensor, self._values = tensors[0]
        for pair, (tensor, values) in zip(merge.pairs(), tensors[1:], strict=True):
            self._tensor = self._builder.add(pair, self._tensor, tensor)
            self._values = pair.apply(self._values, values)

    def _append_activation(self, step: Activation) -> None:
        signed = step.slope != 0
        fixed_type = result_type(self._values, self._bits, signed, step.slope)
        slope = _dyadic(step.slope, self._bits) if signed else 1.0
        self._append(Quantize(step.name, type=fixed_type, negative_slope=slope))

    def _append_function(self, step: FunctionStep | SlopeStep | ArgmaxStep) -> None:
        tensor = self._builder.value_ranges[self._tensor]
        if isinstance(step, FunctionStep):
            fixed_type = self._type_of_values(step.function)
            layers = self._functions.layers(step.name, step.function, tensor, fixed_type)
        elif isinstance(step, SlopeStep):
            slopes = self._choose_type(step.slopes).quantize(step.slopes)
            layers = slope_layers(step.name, tensor, slopes)
        else:
            check_argmax(step.layer, tensor)
            self._append_softmax(step.name)
            return
        for layer in layers:
            self._append(layer)

    def _append_softmax(self, name: str) -> None:
        values = {self._tensor: self._values}
        before = self._builder.last
        self._tensor = self._functions.append_softmax(self._builder, self._tensor, name)
        for number in range(before, self._builder.last):
            taken = (values[source] for source in self._builder.sources[number])
            values[number + 1] = self._builder.layers[number].apply(*taken)
        self._values = values[self._tensor]

    def _type_of_values(self, function: Function) -> FixedPoint | None:
        """Return the type of the least error for a function that grows without limit."""
        if function.integer is not None:
            return None
        return result_type(function.values(self._values), self._bits, function.signed)

    def _choose_type(self, constants: NDArray[np.float64]) -> FixedPoint:
        return constant_type(constants, self._bits)


def _dyadic(slope: float, bits: int) -> float:
    """Return the nearest number of so many binary digits."""
    mantissa, exponent = math.frexp(slope)
    return math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
