"""Post-training quantization: a network in floating point becomes one in fixed point."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.compression.batch_norm_folding import fold_batch_normalization
from l1distill.compression.float_layers import Activation, ArgmaxStep, FunctionStep, Step
from l1distill.compression.float_model import Part, read_float_model
from l1distill.compression.integer_bits import best_integer_bits
from l1distill.compression.rounding import needs_rounding, round_constants
from l1distill.core.errors import ConfigError, DataError
from l1distill.firmware.functions.activations import FunctionApproximator
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    BinaryLayer,
    Quantize,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.keras_graph import pairwise_merges
from l1distill.firmware.readers.softmax import check_argmax

BITS = range(2, 17)
_TOLERANCE = 1e-5
"""Error that a wider range may cost, in units of the mean square of what is quantized."""
_HEADROOM = 2
"""Most bits by which a range may exceed the largest value of the calibration events."""


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
    leave the others none of few bits. Where zeros that a convolution adds stand in between, that
    rest and the offset stay as a layer and get ``bits`` bits each.

    Args:
        model: a Keras 2 model in floating point: Dense, Conv2D, BatchNormalization, ReLU,
            LeakyReLU, sigmoid, tanh, MaxPooling2D, UpSampling2D, ZeroPadding2D, Flatten and
            Reshape, in chains that branch and meet again in Add, Subtract, Multiply and
            Concatenate.
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
    shape, parts = read_float_model(model, functions.softmax)
    events = np.asarray(calibration, dtype=np.float64)
    if len(events) == 0 or not np.isfinite(events).all() or events[0].size != math.prod(shape):
        raise DataError(
            f"calibration events of shape {events.shape}: give the model (events, "
            f"{', '.join(map(str, shape))}) finite numbers"
        )
    events = events.reshape(len(events), -1)
    front: list[Step] = [Reshape("events", shape=shape)] if len(shape) > 1 else []
    exponents: tuple[int, ...] = ()
    if input_type is None:
        integers = best_integer_bits(events, bits, tolerance=_TOLERANCE, headroom=_HEADROOM)
        exponents = tuple(integers.tolist())
        input_type = FixedPoint(signed=True, integer=0, fraction=bits - 1)
        front.insert(0, Affine.exact("inputs", np.ldexp(1.0, integers)))
    parts[0] = replace(parts[0], steps=(*front, *parts[0].steps))
    values = input_type.quantize(events / np.ldexp(1.0, exponents or (0,)))
    builder = Builder(events.shape[1], input_type, exponents)
    _Quantizer(builder, bits, values, functions).append_parts(
        [replace(part, steps=fold_batch_normalization(part.steps)) for part in parts]
    )
    return builder.network()


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
        for part in parts:
            if part.sources:
                self._tensor, self._values = results[part.sources[0]]
            if len(part.sources) > 1:
                merge = part.steps[0]
                assert isinstance(merge, BinaryLayer)
                for layer, source in pairwise_merges(merge, part.sources):
                    self._append_merge(layer, *results[source])
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
            if isinstance(step, FunctionStep | ArgmaxStep):
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
            self._values, self._bits, tolerance=_TOLERANCE, headroom=_HEADROOM
        )
        self._append(Affine.exact("outputs_in", np.ldexp(1.0, -integers)))
        output_type = FixedPoint(signed=True, integer=0, fraction=self._bits - 1)
        self._append(Quantize("outputs", type=output_type))
        self._append(Affine.exact("outputs_out", np.ldexp(1.0, integers)))

    def _append(self, layer: UnaryLayer) -> None:
        self._tensor = self._builder.add(layer, self._tensor)
        self._values = layer.apply(self._values)

    def _append_merge(self, layer: BinaryLayer, other: int, values: NDArray[np.float64]) -> None:
        self._tensor = self._builder.add(layer, self._tensor, other)
        self._values = layer.apply(self._values, values)

    def _append_activation(self, step: Activation) -> None:
        signed = step.slope != 0
        (integer,) = best_integer_bits(
            self._values.reshape(-1, 1),
            self._bits,
            tolerance=_TOLERANCE,
            headroom=_HEADROOM,
            signed=signed,
            slope=step.slope,
        ).tolist()
        result_type = FixedPoint(
            signed=signed, integer=integer, fraction=self._bits - signed - integer
        )
        slope = step.slope if signed else 1.0
        self._append(Quantize(step.name, type=result_type, negative_slope=slope))

    def _append_function(self, step: FunctionStep | ArgmaxStep) -> None:
        tensor = self._builder.value_ranges[self._tensor]
        if isinstance(step, FunctionStep):
            layers = self._functions.layers(step.name, step.function, tensor)
        else:
            check_argmax(step.layer, tensor)
            layers = self._functions.argmax(step.name, tensor)
        for layer in layers:
            self._append(layer)

    def _choose_type(self, constants: NDArray[np.float64]) -> FixedPoint:
        (integer,) = best_integer_bits(constants.reshape(-1, 1), self._bits).tolist()
        return FixedPoint(signed=True, integer=integer, fraction=self._bits - 1 - integer)
