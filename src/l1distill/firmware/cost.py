"""What a network will cost, from its numbers alone: for a search that cannot wait for synthesis.

The logic is adders (distributed arithmetic; a score multiplies too): a weight of ``d`` digits takes
``d`` of the terms that a sum adds up. Terms times the width of the sum is what the LUTs follow;
sharing of common terms makes large layers cheaper than that. ``benchmarks/cost.py`` fits the
constants to yosys and to alkaid's pipelines, and says how well they rank networks that it did not
fit to. Bit operations are those of HGQ (arXiv:2405.00645, section III): the widths of weight and
input multiplied, summed over the multiplications that are left.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    BinaryLayer,
    Concatenate,
    Conv2D,
    Dense,
    MaxPool2D,
    Multiply,
    Quantize,
    Square,
    Subtract,
    UnaryLayer,
)
from l1distill.firmware.network.network import Network, value_ranges
from l1distill.firmware.network.value_range import ValueRange

_PRODUCT_LEVELS = 2


class Cost(NamedTuple):
    """Estimates, whatever their names leave out."""

    lut_estimate: float
    latency_ns_estimate: float
    """Through the logic from end to end, before it is cut into cycles."""
    latency_cycles_estimate: float
    """At the given budget for a pipeline stage."""
    bit_operations: float


class Constants(NamedTuple):
    """What is fitted.

    Attributes:
        adder: LUT a bit of a sum's terms.
        sharing: the power of a layer's outputs by which its terms become fewer.
        rounding: LUT a bit of a number that is rounded or clipped, not at zero alone.
        maximum: LUT a bit of a number that is compared.
        level_ns: delay of one level of a tree of adders [ns].
        quantize_ns: delay of rounding and clipping [ns].
        compare_ns: delay of a comparison [ns].
    """

    adder: float = 0.88
    sharing: float = 0.093
    rounding: float = 2.4
    maximum: float = 1.5
    level_ns: float = 1.65
    quantize_ns: float = 0.0
    compare_ns: float = 1.0


class Features(NamedTuple):
    """What the estimates are made of, summed over a network.

    Attributes:
        linear: of each layer that adds, the bits of its terms and the number of its outputs.
        rounded: bits of numbers that are rounded or clipped, not at zero alone.
        compared: bits of numbers that are compared.
        levels: of adders, one behind the other.
        quantizers: one behind the other, those that change anything.
        comparisons: one behind the other.
        bit_operations: see :class:`Cost`.
    """

    linear: tuple[tuple[float, int], ...]
    rounded: float
    compared: float
    levels: float
    quantizers: int
    comparisons: int
    bit_operations: float


def estimate(network: Network, stage_ns: float, constants: Constants | None = None) -> Cost:
    """Estimates the firmware of a network in about a millisecond.

    Args:
        network: with its weights; of a candidate that has none yet, random ones.
        stage_ns: budget of delay for a pipeline stage, ``firmware.latency_cutoff_ns`` [ns].
        constants: others than the fitted ones.
    """
    return cost_of(features(network), stage_ns, constants or Constants())


def cost_of(found: Features, stage_ns: float, constants: Constants) -> Cost:
    """Weighs features with constants."""
    adders = sum(bits * outputs**-constants.sharing for bits, outputs in found.linear)
    delay = (
        constants.level_ns * found.levels
        + constants.quantize_ns * found.quantizers
        + constants.compare_ns * found.comparisons
    )
    lut = constants.adder * adders
    lut += constants.rounding * found.rounded + constants.maximum * found.compared
    return Cost(lut, delay, delay / stage_ns, found.bit_operations)


def features(network: Network) -> Features:
    """Counts terms, bits and levels, layer by layer."""
    linear: list[tuple[float, int]] = []
    rounded = compared = operations = 0.0
    found = value_ranges(network)
    needed = _needed(network, found)
    paths = [_Path(0.0, 0, 0)]
    for layer, taken, after, used in zip(
        network.layers, network.wiring, found[1:], needed[1:], strict=True
    ):
        before = found[taken[0]]
        path = max(paths[number] for number in taken)
        if isinstance(layer, Dense | Conv2D | Affine):
            counted = _linear(layer, before, after, used)
            linear.append((counted.bits, after.shape[-1]))
            path = path._replace(levels=path.levels + counted.levels)
            operations += counted.operations
        elif isinstance(layer, Add | Subtract):
            linear.append((float(_widths(after)[used].sum()), after.shape[-1]))
            path = path._replace(levels=path.levels + 1)
        elif isinstance(layer, Quantize):
            if after.type != before.type:
                if not _only_cut_at_zero(before, after):
                    rounded += float(_widths(after)[used].sum())
                path = path._replace(quantizers=path.quantizers + 1)
        elif isinstance(layer, Square | Multiply):  # in DSPs: no LUTs, a short tree's delay
            path = path._replace(levels=path.levels + _PRODUCT_LEVELS)
            factors = _widths(before), _widths(found[taken[-1]])
            operations += float((factors[0] * factors[1])[used].sum())
        elif isinstance(layer, MaxPool2D):
            window = math.prod(layer.size)
            compared += (window - 1) * float(_widths(after)[used].sum())
            path = path._replace(comparisons=path.comparisons + math.ceil(math.log2(window)))
        paths.append(path)
    return Features(tuple(linear), rounded, compared, *paths[-1], operations)


class _Path(NamedTuple):
    """What the deepest path to a tensor leads through."""

    levels: float
    quantizers: int
    comparisons: int


def _only_cut_at_zero(before: ValueRange, after: ValueRange) -> bool:
    """Tells whether a quantizer does no more than an AND with the sign: what follows absorbs it."""
    cut = np.maximum(before.low, 0.0), np.maximum(before.high, 0.0)
    return after.fraction >= before.fraction and all(
        map(np.array_equal, cut, (after.low, after.high))
    )


def _needed(network: Network, found: list[ValueRange]) -> list[NDArray[np.bool_]]:
    """Tells which elements of each tensor anything behind it depends on."""
    needed = [np.zeros(tensor.shape, np.bool_) for tensor in found]
    needed[-1][:] = True
    for number in reversed(range(len(network.layers))):
        layer, taken, used = network.layers[number], network.wiring[number], needed[number + 1]
        if isinstance(layer, Concatenate):
            first = found[taken[0]].shape[layer.axis]
            parts = np.split(used, [first], axis=layer.axis)
        else:
            parts = [used] * len(taken)
        for source, part in zip(taken, parts, strict=True):
            before = found[source]
            if isinstance(layer, BinaryLayer):
                needed[source] |= part & (before.low < before.high)
            else:
                needed[source] |= _needed_by(layer, before, part)
    return needed


def _needed_by(layer: UnaryLayer, before: ValueRange, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tells on which elements, of those that ever change, the used outputs of a layer depend."""
    live = before.low < before.high
    if isinstance(layer, Dense):
        found = (layer.kernel[:, used] != 0).any(axis=1)
    elif isinstance(layer, Quantize | Affine | Square):
        found = used
    else:
        # where each element goes; 0 is one of the zeros around an image
        numbers = 1 + np.arange(before.low.size).reshape(1, *before.shape)
        if isinstance(layer, Conv2D):
            taps = used.reshape(-1, used.shape[-1]).astype(np.float64) @ (layer.matrix != 0).T > 0
            seen = layer.windows(numbers).reshape(taps.shape)[taps]
        elif isinstance(layer, MaxPool2D):
            seen = layer.windows(numbers)[0][used]
        else:
            seen = layer.apply(numbers)[0][used]
        flat = np.zeros(before.low.size + 1, np.bool_)
        flat[seen] = True
        found = flat[1:].reshape(before.shape)
    result: NDArray[np.bool_] = found & live
    return result


class _Linear(NamedTuple):
    bits: float
    levels: int
    operations: float


def _linear(
    layer: Dense | Conv2D | Affine, before: ValueRange, after: ValueRange, used: NDArray[np.bool_]
) -> _Linear:
    """Terms of every used sum times their mean width; levels of the deepest sum.

    What never changes, as the zeros around an image, is no term.
    """
    live = (before.low < before.high).astype(np.float64)
    widths = live * _widths(before)
    if isinstance(layer, Affine):
        terms = live * signed_digits(layer.scale, layer.scale_type) + (layer.offset != 0)
        operations = widths * _weight_bits(layer.scale, layer.scale_type)
    else:
        digits = signed_digits(layer.kernel, layer.kernel_type).astype(np.float64)
        weights = _weight_bits(layer.kernel, layer.kernel_type)
        none = np.zeros_like(layer.bias)
        # summed by the layer itself: what it adds up, once as digits and once as bits
        terms = replace(layer, kernel=digits, bias=none).apply(live[None])[0] + (layer.bias != 0)
        operations = replace(layer, kernel=weights, bias=none).apply(widths[None])[0]
    mean = 0.5 * (float(widths.sum()) / max(float(live.sum()), 1.0) + _widths(after))
    adders = np.maximum(terms - 1, 0)
    deepest = float(terms[used].max(initial=1))
    return _Linear(
        float((adders * mean)[used].sum()),
        math.ceil(math.log2(max(deepest, 1))),
        float(operations[used].sum()),
    )


def signed_digits(values: NDArray[np.float64], kind: FixedPoint) -> NDArray[np.int64]:
    """Returns how many signed digits that are not zero each number has at least.

    That is the weight of its non-adjacent form: the bits in which n and 3n differ.
    """
    codes = np.abs(kind.codes(values))
    different = np.ascontiguousarray(codes ^ (3 * codes)).view(np.uint8)
    count = np.unpackbits(different.reshape(*codes.shape, 8), axis=-1).sum(axis=-1)
    result: NDArray[np.int64] = count.astype(np.int64)
    return result


def _weight_bits(values: NDArray[np.float64], kind: FixedPoint) -> NDArray[np.float64]:
    """Bits between the first and the last that are set; none of a weight that is zero."""
    codes = np.abs(kind.codes(values))
    lowest = codes & -codes
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.floor(np.log2(codes)) - np.log2(lowest) + 1
    result: NDArray[np.float64] = np.where(codes > 0, bits, 0.0)
    return result


def _widths(tensor: ValueRange) -> NDArray[np.float64]:
    """Bits that each element takes."""
    steps = (tensor.high - tensor.low) * 2.0**tensor.fraction
    result: NDArray[np.float64] = np.ceil(np.log2(steps + 1))
    return result
