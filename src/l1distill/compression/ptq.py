"""Post-training quantization: a network in floating point becomes one in fixed point."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.compression.float_model import (
    Activation,
    Class,
    Curve,
    Part,
    Step,
    Unrounded,
    fold,
    needs_rounding,
    read_float_model,
    shift,
)
from l1distill.core.errors import DataError
from l1distill.firmware.functions.activations import Curves
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    BinaryLayer,
    Conv2D,
    Dense,
    Quantize,
    Reshape,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network
from l1distill.firmware.readers.keras_graph import one_by_one

BITS = range(2, 17)
_TOLERANCE = 1e-5
"""Error that a wider range may cost, in units of the mean square of what is quantized."""
_HEADROOM = 2
"""Most bits by which a range may exceed the largest value of the calibration events."""
_FEWER = 12
"""Most bits by which it may fall short of that."""


def post_training_quantize(
    model: Any,
    bits: int,
    calibration: ArrayLike,
    input_type: FixedPoint | None = None,
    curves: Curves | None = None,
) -> Network:
    """Gives every number of a trained network ``bits`` bits, without training it again.

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
        curves: makes sigmoid and tanh, and keeps how far off they are; with ``bits`` bits and
            its own number of pieces if None.

    Returns:
        The network in fixed point; its inputs are those of the model, flattened.

    Raises:
        DataError: a layer is not supported or not exact, or the calibration does not fit.
    """
    if bits not in BITS:
        raise DataError(f"bits={bits}: post-training quantization takes {BITS[0]} to {BITS[-1]}")
    curves = curves or Curves(bits)
    shape, parts = read_float_model(model, curves.softmax)
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
        found = _integers(events, bits, True, 1.0, _HEADROOM, _TOLERANCE)
        exponents = tuple(found.tolist())
        input_type = FixedPoint(signed=True, integer=0, fraction=bits - 1)
        front.insert(0, shift("inputs", np.ldexp(1.0, found)))
    parts[0].steps[:0] = front
    values = input_type.quantize(events / np.ldexp(1.0, exponents or (0,)))
    builder = Builder(events.shape[1], input_type, exponents)
    maker = _Maker(builder, bits, values, curves)
    maker.make([part._replace(steps=fold(part.steps)) for part in parts])
    return builder.network()


class _Maker:
    """Quantizes layer by layer, with the calibration events at hand."""

    def __init__(
        self, builder: Builder, bits: int, values: NDArray[np.float64], curves: Curves
    ) -> None:
        self._builder = builder
        self._bits = bits
        self._curves = curves
        self._values = values
        self._at = 0

    def make(self, parts: Sequence[Part]) -> None:
        """Appends the quantized layers for all steps."""
        ends: list[tuple[int, NDArray[np.float64]]] = []
        for part in parts:
            steps = part.steps
            if part.sources:
                self._at, self._values = ends[part.sources[0]]
            if len(part.sources) > 1:
                joint = steps[0]
                assert isinstance(joint, BinaryLayer)
                for step, source in one_by_one(joint, part.sources):
                    self._append(step, *ends[source])
            self._make(steps, outputs=part is parts[-1])
            ends.append((self._at, self._values))

    def _make(self, steps: Sequence[Step], outputs: bool) -> None:
        rounded = [n for n, step in enumerate(steps) if needs_rounding(step)]
        # what no activation follows is quantized output by output
        each = bool(
            outputs
            and rounded
            and not isinstance(steps[rounded[-1]], Activation)
            and not isinstance(steps[-1], Class)
        )
        for number, step in enumerate(steps):
            follower = steps[number + 1] if number + 1 < len(steps) else None
            if isinstance(step, Activation):
                self._activation(step)
                continue
            if isinstance(step, Unrounded):
                self._function(step)
                continue
            if not isinstance(step, BinaryLayer):
                self._add(self._quantized(step))
            if each and number == rounded[-1]:
                continue
            if number in rounded and not isinstance(follower, Activation | Class):
                self._activation(Activation(f"{step.name}_quantizer", 1.0))
        if not each:
            return
        flat = self._values[0].size
        if self._values.ndim > 2:
            self._add(Reshape("flat_outputs", shape=(flat,)))
        integers = _integers(self._values, self._bits, True, 1.0, _HEADROOM, _TOLERANCE)
        self._add(shift("outputs_in", np.ldexp(1.0, -integers)))
        self._add(
            Quantize("outputs", type=FixedPoint(signed=True, integer=0, fraction=self._bits - 1))
        )
        self._add(shift("outputs_out", np.ldexp(1.0, integers)))

    def _add(self, layer: UnaryLayer) -> None:
        self._at = self._builder.add(layer, self._at)
        self._values = layer.apply(self._values)

    def _append(self, layer: BinaryLayer, at: int, values: NDArray[np.float64]) -> None:
        self._at = self._builder.add(layer, self._at, at)
        self._values = layer.apply(self._values, values)

    def _activation(self, step: Activation) -> None:
        signed = step.slope != 0
        flat = self._values.reshape(-1, 1)
        (integer,) = _integers(flat, self._bits, signed, step.slope, _HEADROOM, _TOLERANCE)
        kind = FixedPoint(
            signed=signed, integer=int(integer), fraction=self._bits - signed - int(integer)
        )
        self._add(Quantize(step.name, type=kind, negative_slope=step.slope if signed else 1.0))

    def _function(self, step: Curve | Class) -> None:
        tensor = self._builder.value_ranges[self._at]
        made = (
            self._curves.layers(step.name, step.function, tensor)
            if isinstance(step, Curve)
            else self._curves.one_hot(step.layer, step.name, tensor)
        )
        for layer in made:
            self._add(layer)

    def _quantized(self, step: UnaryLayer) -> UnaryLayer:
        if not needs_rounding(step):
            return step
        if isinstance(step, Affine):
            scale_type, offset_type = self._type(step.scale), self._type(step.offset)
            return replace(
                step,
                scale=scale_type.quantize(step.scale),
                offset=offset_type.quantize(step.offset),
                scale_type=scale_type,
                offset_type=offset_type,
            )
        assert isinstance(step, Dense | Conv2D)
        kernel_type, bias_type = self._type(step.kernel), self._type(step.bias)
        return replace(
            step,
            kernel=kernel_type.quantize(step.kernel),
            bias=bias_type.quantize(step.bias),
            kernel_type=kernel_type,
            bias_type=bias_type,
        )

    def _type(self, constants: NDArray[np.float64]) -> FixedPoint:
        (integer,) = _integers(constants.reshape(-1, 1), self._bits, True, 1.0, 0, 0.0)
        return FixedPoint(signed=True, integer=int(integer), fraction=self._bits - 1 - int(integer))


def _integers(
    values: NDArray[np.float64],
    bits: int,
    signed: bool,
    slope: float,
    headroom: int,
    tolerance: float,
) -> NDArray[np.int64]:
    """Returns the integer bits that suit each column best.

    Args:
        values: (n, columns) numbers.
        bits: of the type.
        signed: whether the type is.
        slope: by which negative numbers are multiplied first.
        headroom: bits by which a range may exceed the largest value.
        tolerance: error a wider range may cost, in units of the column's mean square.

    Returns:
        (columns,) the widest range whose mean square error is within the tolerance of the least.
    """
    wanted = np.where(values < 0, values * slope, values)
    largest = np.abs(wanted).max(axis=0)
    top = np.frexp(largest)[1]  # zeros have the exponent 0
    wanted = wanted / np.ldexp(1.0, top)
    offsets = np.arange(headroom, -_FEWER - 1, -1)  # the widest first
    errors = []
    for offset in offsets.tolist():
        kind = FixedPoint(signed=signed, integer=offset, fraction=bits - signed - offset)
        errors.append(np.mean((kind.quantize(wanted) - wanted) ** 2, axis=0))
    allowed = np.min(errors, axis=0) + tolerance * np.mean(wanted**2, axis=0)
    best = offsets[np.argmax(np.array(errors) <= allowed, axis=0)]
    result: NDArray[np.int64] = (top + best).astype(np.int64)
    return result
