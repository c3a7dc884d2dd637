"""Post-training quantisation: a network in floating point becomes one in fixed point."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.errors import InputError
from l1distill.firmware.fixed_point import FixedPoint, grid_of
from l1distill.firmware.keras_graph import (
    JOINTS,
    one_by_one,
    read_graph,
    read_joint,
    refuse,
)
from l1distill.firmware.layers import (
    Affine,
    Arithmetic,
    Binary,
    Concatenate,
    Conv2D,
    Dense,
    Layer,
    Quantise,
    Reshape,
    Span,
    Unary,
    span_of,
)
from l1distill.firmware.network import Network, connect
from l1distill.firmware.qkeras_activations import exact_slope
from l1distill.firmware.qkeras_reader import (
    check_convolution,
    sequence_convolution,
)
from l1distill.firmware.shape_layers import SHAPE_LAYERS, read_shape_layer

BITS = range(2, 17)
_TOLERANCE = 1e-5
"""Error that a wider range may cost, in units of the mean square of what is quantised."""
_HEADROOM = 2
"""Most bits by which a range may exceed the largest value of the calibration events."""
_FEWER = 12
"""Most bits by which it may fall short of that."""
_FLOAT = FixedPoint(True, 0, 0)
"""Stands where a type will be, as long as numbers are in floating point."""


class _Activation(NamedTuple):
    name: str
    slope: float
    """Below zero: 0 for a ReLU, 1 for none."""


_Step = Layer | _Activation


class _Part(NamedTuple):
    """Steps one behind the other; what comes out between them goes nowhere else."""

    sources: tuple[int, ...]
    """Parts that it takes the results of; none for the first, which takes the events."""
    steps: list[_Step]
    """Of several sources the first one of them makes one tensor."""


def post_training_quantise(
    model: Any, bits: int, calibration: ArrayLike, input_type: FixedPoint | None = None
) -> Network:
    """Gives every number of a trained network ``bits`` bits, without training it again.

    Each kernel, bias and activation has one type, which rounds half to even and saturates. Its
    integer bits are those of the least mean square error: over the tensor for constants, over the
    calibration events, through the layers that are quantised already, for activations. With many
    bits that clips nothing; with few it clips what is rare and large, so that the rest is still
    told apart. An activation's range is made up to four times as wide as what was seen where that
    costs next to nothing (a hundred-thousandth of the mean square), since signals reach further
    than the background.

    Every input and every output of the last layer has a range of its own, ``bits`` bits wide:
    pT [GeV], eta and phi have little in common. Ranges differ by powers of two, which only move
    the binary point.

    Batch normalisation disappears into the linear layer before it, or else behind it: each fold
    saves a rounding. In front of a layer, the power of two in each channel's scale remains as a
    shift and only the rest, between 0.7 and 1.4, is multiplied into the kernel: seldom filled
    slots have scales a hundred times those of others, and one type for all their weights would
    leave the others none of few bits. Where zeros that a convolution adds stand in between, that
    rest and the offset stay as a layer and get ``bits`` bits each.

    Args:
        model: a Keras 2 model in floating point: Dense, Conv2D, BatchNormalization, ReLU,
            LeakyReLU, MaxPooling2D, UpSampling2D, ZeroPadding2D, Flatten and Reshape, in chains
            that branch and meet again in Add, Subtract, Multiply and Concatenate.
        bits: 2 to 16.
        calibration: (n, ...) inputs of the model, such as a thousand events of the training split.
        input_type: the type of all inputs, where they are scaled already; ``None`` for a range of
            each input's own, from the calibration.

    Returns:
        The network in fixed point; its inputs are those of the model, flattened.

    Raises:
        InputError: a layer is not supported or not exact, or the calibration does not fit.
    """
    if bits not in BITS:
        raise InputError(f"bits={bits}: post-training quantisation takes {BITS[0]} to {BITS[-1]}")
    shape, parts = _read(model)
    events = np.asarray(calibration, dtype=np.float64)
    if len(events) == 0 or not np.isfinite(events).all() or events[0].size != math.prod(shape):
        raise InputError(
            f"calibration events of shape {events.shape}: give the model (events, "
            f"{', '.join(map(str, shape))}) finite numbers"
        )
    events = events.reshape(len(events), -1)
    front: list[_Step] = [Reshape("events", shape)] if len(shape) > 1 else []
    exponents: tuple[int, ...] = ()
    if input_type is None:
        found = _integers(events, bits, True, 1.0, _HEADROOM, _TOLERANCE)
        exponents = tuple(found.tolist())
        input_type = FixedPoint(True, 0, bits - 1)
        front.insert(0, _shift("inputs", np.ldexp(1.0, found)))
    parts[0].steps[:0] = front
    maker = _Maker(bits, input_type.quantise(events / np.ldexp(1.0, exponents or (0,))))
    maker.make([part._replace(steps=_fold(part.steps)) for part in parts])
    return connect(events.shape[1], input_type, maker.layers, exponents, tuple(maker.sources))


class _Maker:
    """Quantises layer by layer, with the calibration events at hand."""

    def __init__(self, bits: int, values: NDArray[np.float64]) -> None:
        self.layers: list[Layer] = []
        self.sources: list[tuple[int, ...]] = []
        self._bits = bits
        self._values = values
        self._at = 0

    def make(self, parts: Sequence[_Part]) -> None:
        """Appends the quantised layers for all steps."""
        ends: list[tuple[int, NDArray[np.float64]]] = []
        for part in parts:
            steps = part.steps
            if part.sources:
                self._at, self._values = ends[part.sources[0]]
            if len(part.sources) > 1:
                joint = steps[0]
                assert isinstance(joint, Binary)
                for step, source in one_by_one(joint, part.sources):
                    self._append(step, *ends[source])
            self._make(steps, outputs=part is parts[-1])
            ends.append((self._at, self._values))

    def _make(self, steps: Sequence[_Step], outputs: bool) -> None:
        rounded = [n for n, step in enumerate(steps) if _needs_rounding(step)]
        one_by_one_ = outputs and bool(rounded) and not isinstance(steps[rounded[-1]], _Activation)
        for number, step in enumerate(steps):
            follower = steps[number + 1] if number + 1 < len(steps) else None
            if isinstance(step, _Activation):
                self._activation(step)
                continue
            if not isinstance(step, Binary):
                self._add(self._quantised(step))
            if one_by_one_ and number == rounded[-1]:
                continue
            if number in rounded and not isinstance(follower, _Activation):
                self._activation(_Activation(f"{step.name}_quantiser", 1.0))
        if not one_by_one_:
            return
        flat = self._values[0].size
        if self._values.ndim > 2:
            self._add(Reshape("flat_outputs", (flat,)))
        integers = _integers(self._values, self._bits, True, 1.0, _HEADROOM, _TOLERANCE)
        self._add(_shift("outputs_in", np.ldexp(1.0, -integers)))
        self._add(Quantise("outputs", FixedPoint(True, 0, self._bits - 1)))
        self._add(_shift("outputs_out", np.ldexp(1.0, integers)))

    def _add(self, layer: Unary) -> None:
        self.layers.append(layer)
        self.sources.append((self._at,))
        self._at = len(self.layers)
        self._values = layer.apply(self._values)

    def _append(self, layer: Binary, at: int, values: NDArray[np.float64]) -> None:
        self.layers.append(layer)
        self.sources.append((self._at, at))
        self._at = len(self.layers)
        self._values = layer.apply(self._values, values)

    def _activation(self, step: _Activation) -> None:
        signed = step.slope != 0
        flat = self._values.reshape(-1, 1)
        (integer,) = _integers(flat, self._bits, signed, step.slope, _HEADROOM, _TOLERANCE)
        kind = FixedPoint(signed, int(integer), self._bits - signed - int(integer))
        self._add(Quantise(step.name, kind, step.slope if signed else 1.0))

    def _quantised(self, step: Unary) -> Unary:
        if not _needs_rounding(step):
            return step
        if isinstance(step, Affine):
            scale_type, offset_type = self._type(step.scale), self._type(step.offset)
            return step._replace(
                scale=scale_type.quantise(step.scale),
                offset=offset_type.quantise(step.offset),
                scale_type=scale_type,
                offset_type=offset_type,
            )
        assert isinstance(step, Dense | Conv2D)
        kernel_type, bias_type = self._type(step.kernel), self._type(step.bias)
        return step._replace(
            kernel=kernel_type.quantise(step.kernel),
            bias=bias_type.quantise(step.bias),
            kernel_type=kernel_type,
            bias_type=bias_type,
        )

    def _type(self, constants: NDArray[np.float64]) -> FixedPoint:
        (integer,) = _integers(constants.reshape(-1, 1), self._bits, True, 1.0, 0, 0.0)
        return FixedPoint(True, int(integer), self._bits - 1 - int(integer))


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
        kind = FixedPoint(signed, offset, bits - signed - offset)
        errors.append(np.mean((kind.quantise(wanted) - wanted) ** 2, axis=0))
    allowed = np.min(errors, axis=0) + tolerance * np.mean(wanted**2, axis=0)
    best = offsets[np.argmax(np.array(errors) <= allowed, axis=0)]
    result: NDArray[np.int64] = (top + best).astype(np.int64)
    return result


def _shift(name: str, powers: NDArray[np.float64]) -> Affine:
    """Returns a layer that multiplies by powers of two, exactly."""
    zeros = np.zeros_like(powers)
    return Affine(name, powers, zeros, grid_of(powers), grid_of(zeros))


def _needs_rounding(step: _Step) -> bool:
    """Tells numbers in floating point, and what comes out of them, from exact ones."""
    if isinstance(step, Dense | Conv2D):
        return step.kernel_type is _FLOAT
    if isinstance(step, Affine):
        return step.scale_type is _FLOAT
    return isinstance(step, _Activation | Arithmetic)


def _read(model: Any) -> tuple[tuple[int, ...], list[_Part]]:
    """Returns the shape of an input and what the model does, in floating point."""
    found = read_graph(model)
    parts: list[_Part] = []
    ends: list[Span] = []
    for segment in found.segments:
        steps: list[_Step] = []
        layers = list(segment.layers)
        tensor = ends[segment.sources[0]] if segment.sources else span_of(_FLOAT, found.shape)
        if len(segment.sources) > 1:
            joint = read_joint(layers.pop(0), [ends[source].shape for source in segment.sources])
            for step, source in one_by_one(joint, segment.sources):
                tensor = step.span(tensor, ends[source])
            steps.append(joint)
        for layer in layers:
            for step_ in _read_layer(layer, tensor):
                steps.append(step_)
                if not isinstance(step_, _Activation):
                    tensor = step_.span(tensor)
        parts.append(_Part(segment.sources, steps))
        ends.append(tensor)
    if len(found.ends) > 1:
        flat = []
        for number, end in enumerate(found.ends):
            if len(ends[end].shape) > 1:
                size = ends[end].low.size
                parts.append(_Part((end,), [Reshape(f"flat_end_{number}", (size,))]))
                end = len(parts) - 1
            flat.append(end)
        parts.append(_Part(tuple(flat), [Concatenate("ends", 0)]))
    parts = _with_one_head(parts)
    if not any(isinstance(step, Dense | Conv2D | Affine) for part in parts for step in part.steps):
        refuse(model.layers[-1], "there is nothing to quantise in this model")
    return found.shape, parts


def _with_one_head(parts: list[_Part]) -> list[_Part]:
    """Returns the parts with dense layers that end side by side as one that does their work.

    What comes out then has the sums' full width up to the last rounding.
    """
    *before, last = parts
    heads = [parts[source] for source in last.sources]
    dense = [step for head in heads for step in head.steps if isinstance(step, Dense)]
    if (
        len(last.steps) != 1
        or not isinstance(last.steps[0], Concatenate)
        or any(len(head.steps) != 1 for head in heads)
        or len(dense) != len(heads)
        or len({head.sources for head in heads}) > 1
    ):
        return parts
    one = Dense(
        "_".join(layer.name for layer in dense),
        np.concatenate([layer.kernel for layer in dense], axis=1),
        np.concatenate([layer.bias for layer in dense]),
        _FLOAT,
        _FLOAT,
    )
    # all else leads to the heads, so that nothing stands behind them
    return [*before[: min(last.sources)], _Part(heads[0].sources, [one])]


def _read_layer(layer: Any, tensor: Span) -> list[Unary | _Activation]:
    name = type(layer).__name__
    if name in SHAPE_LAYERS:
        return list(read_shape_layer(layer, tensor, _FLOAT))
    if name == "LeakyReLU":
        return [_Activation(layer.name, exact_slope(layer, float(layer.alpha)))]
    if name == "ReLU":
        if layer.max_value is not None or layer.threshold != 0:
            refuse(layer, "has a max_value or a threshold; leave them out")
        slope = float(layer.negative_slope)
        return [_Activation(layer.name, exact_slope(layer, slope) if slope else 0.0)]
    if name == "Activation":
        return _function(layer, layer.name)
    if name == "BatchNormalization":
        return [_normalisation(layer, len(tensor.shape))]
    if name not in ("Dense", "Conv1D", "Conv2D"):
        refuse(
            layer,
            "is not supported; supported are Dense, Conv1D, Conv2D, BatchNormalization, ReLU, "
            f"LeakyReLU, Activation, {', '.join((*JOINTS, *SHAPE_LAYERS))}",
        )
    kernel, *bias = (np.asarray(value, dtype=np.float64) for value in layer.get_weights())
    constants = (kernel, bias[0] if bias else np.zeros(kernel.shape[-1]), _FLOAT, _FLOAT)
    if not all(np.isfinite(value).all() for value in constants[:2]):
        refuse(layer, "its weights are not finite; train it anew")
    if name == "Dense":
        if len(tensor.shape) != 1:
            refuse(layer, f"its input has the shape {tensor.shape}; put a Flatten before it")
        return [Dense(layer.name, *constants), *_function(layer, f"{layer.name}_activation")]
    check_convolution(layer)
    if name == "Conv1D":
        *before, back = sequence_convolution(layer, tensor.shape, *constants)
        # the activation comes before the way back, so that nothing stands between it and the sums
        return [*before, *_function(layer, f"{layer.name}_activation"), back]
    found = Conv2D(layer.name, *constants, layer.padding)
    return [found, *_function(layer, f"{layer.name}_activation")]


def _function(layer: Any, name: str) -> list[Unary | _Activation]:
    function = getattr(layer.activation, "__name__", str(layer.activation))
    if function == "linear":
        return []
    if function != "relu":
        return refuse(layer, f"activation {function} is not exact; use relu or LeakyReLU")
    return [_Activation(name, 0.0)]


def _normalisation(layer: Any, axis: int) -> Affine:
    if list(layer.axis) != [axis]:
        refuse(layer, f"has axis={list(layer.axis)}; use the last")
    mean = np.asarray(layer.moving_mean, dtype=np.float64)
    variance = np.asarray(layer.moving_variance, dtype=np.float64)
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    offset = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        refuse(layer, "its scale or offset is not finite; train it anew")
    return Affine(layer.name, scale, offset, _FLOAT, _FLOAT)


def _fold(steps: Sequence[_Step]) -> list[_Step]:
    """Returns the steps with batch normalisation folded into linear layers, as far as it can be."""
    folded: list[_Step] = []
    waiting = list(steps)
    while waiting:
        step = waiting.pop(0)
        before = folded[-1] if folded else None
        after = waiting[0] if waiting else None
        if not isinstance(step, Affine) or not _needs_rounding(step):
            folded.append(step)
        elif isinstance(before, Dense | Conv2D):
            folded[-1] = before._replace(
                kernel=before.kernel * step.scale, bias=before.bias * step.scale + step.offset
            )
        else:
            magnitude = np.where(step.scale == 0, 1.0, np.abs(step.scale))
            powers = np.ldexp(1.0, np.round(np.log2(magnitude)).astype(int))
            rest = step._replace(name=f"{step.name}_rest", scale=step.scale / powers)
            if isinstance(before, Affine) and before.scale.shape == powers.shape:
                folded[-1] = _shift(before.name, before.scale * powers)  # one shift after another
            else:
                folded.append(_shift(step.name, powers))
            if isinstance(after, Dense) or (isinstance(after, Conv2D) and after.padding == "valid"):
                waiting[0] = _behind(rest, after)
            else:
                folded.append(rest)
    return folded


def _behind(step: Affine, layer: Dense | Conv2D) -> Dense | Conv2D:
    """Returns the layer that does the work of ``step`` as well."""
    kernel = layer.kernel * step.scale[:, None]
    offsets = layer.kernel * step.offset[:, None]
    return layer._replace(
        kernel=kernel, bias=layer.bias + offsets.sum(axis=tuple(range(kernel.ndim - 1)))
    )
