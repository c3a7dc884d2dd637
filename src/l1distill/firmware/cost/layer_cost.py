"""Counts what each layer adds to the cost of a network: terms, bits and levels of logic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.cost.used_elements import Mask
from l1distill.firmware.network.back_ends import back_end
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    DecisionTrees,
    Dense,
    Layer,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    QuantizeElements,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
)
from l1distill.firmware.network.value_range import Array, ValueRange

_PRODUCT_LEVELS = 2
_LUT_ENTRIES = 64
"""Bits of a table that one LUT holds."""
_BLOCK_RAM_BITS = 129 * _LUT_ENTRIES
"""Bits beyond which yosys takes a block RAM for a table, which it counts like 129 LUTs."""


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """The share of a layer in :class:`l1distill.firmware.cost.Features`."""

    linear: tuple[float, int] | None = None
    """Bits of the terms that are added, and the number of sums; None where nothing is added."""
    rounded: float = 0.0
    compared: float = 0.0
    tables: float = 0.0
    """LUTs of tables; those in block RAM have none."""
    levels: int = 0
    quantizers: int = 0
    comparisons: int = 0
    bit_operations: float = 0.0


@back_end("cost estimate, layers")
def count_layer(
    layer: Layer, inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    """Count what a layer costs.

    Args:
        layer: the layer.
        inputs: the value range of each input.
        results: the value range of the results.
        used: for each result, whether anything depends on it.
    """
    raise NotImplementedError


@count_layer.register
def _count_linear(
    layer: Dense | Conv2D, inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    digits = signed_digits(layer.kernel, layer.kernel_type).astype(np.float64)
    weights = _weight_bits(layer.kernel, layer.kernel_type)
    no_bias = np.zeros_like(layer.bias)
    live, widths = _live(inputs[0]), _live(inputs[0]) * _widths(inputs[0])
    # summed by the layer itself: once as digits and once as bits
    terms = replace(layer, kernel=digits, bias=no_bias).apply(live[None])[0] + (layer.bias != 0)
    operations = replace(layer, kernel=weights, bias=no_bias).apply(widths[None])[0]
    return _count_sums(terms, operations, inputs[0], results, used)


@count_layer.register
def _count_affine(
    layer: Affine, inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    live = _live(inputs[0])
    terms = live * signed_digits(layer.scale, layer.scale_type) + (layer.offset != 0)
    operations = live * _widths(inputs[0]) * _weight_bits(layer.scale, layer.scale_type)
    return _count_sums(terms, operations, inputs[0], results, used)


def _count_sums(
    terms: Array, operations: Array, inputs: ValueRange, results: ValueRange, used: Mask
) -> LayerCost:
    """Count terms of every used sum times their mean width, and levels of the deepest sum.

    Elements that never change, as the zeros around an image, are no terms.
    """
    live = _live(inputs)
    mean_width = float((live * _widths(inputs)).sum()) / max(float(live.sum()), 1.0)
    adders = np.maximum(terms - 1, 0) * (0.5 * (mean_width + _widths(results)))
    deepest = float(terms[used].max(initial=1))
    return LayerCost(
        linear=(float(adders[used].sum()), results.shape[-1]),
        levels=math.ceil(math.log2(max(deepest, 1))),
        bit_operations=float(operations[used].sum()),
    )


@count_layer.register
def _count_addition(
    _layer: Add | Subtract, _inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    return LayerCost(linear=(float(_widths(results)[used].sum()), results.shape[-1]), levels=1)


@count_layer.register
def _count_quantizer(
    layer: Quantize, inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    if results.type == inputs[0].type or _only_drops_bits(layer.type):
        return LayerCost()
    if _is_only_cut_at_zero(inputs[0], results):
        return LayerCost(quantizers=1)
    cost = LayerCost(rounded=float(_widths(results)[used].sum()), quantizers=1)
    slope = np.full(1, layer.negative_slope)
    terms = int(signed_digits(slope, grid_of(slope)).item())
    if terms == 1:  # a shift
        return cost
    adders = (terms - 1) * float(_widths(inputs[0])[used].sum())
    levels = math.ceil(math.log2(terms))
    return replace(cost, linear=(adders, results.shape[-1]), levels=levels)


@count_layer.register
def _count_element_quantizer(
    layer: QuantizeElements, _inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    if _only_drops_bits(layer.type):
        return LayerCost()
    bits = np.reshape([fixed_type.bits for fixed_type in layer.types], results.shape)
    return LayerCost(rounded=float(bits[used].sum()), quantizers=1)


def _only_drops_bits(fixed_type: FixedPoint) -> bool:
    """Tell whether numbers become those of a type by leaving bits out."""
    return fixed_type.rounding == "TRN" and fixed_type.overflow == "WRAP"


def _is_only_cut_at_zero(inputs: ValueRange, results: ValueRange) -> bool:
    """Tell whether a quantizer is no more than an AND with the sign: what follows absorbs it."""
    return (
        results.fraction >= inputs.fraction
        and np.array_equal(np.maximum(inputs.low, 0.0), results.low)
        and np.array_equal(np.maximum(inputs.high, 0.0), results.high)
    )


@count_layer.register
def _count_product(
    _layer: Square | Multiply, inputs: Sequence[ValueRange], _results: ValueRange, used: Mask
) -> LayerCost:
    # in DSPs: no LUTs, a short tree's delay
    operations = _widths(inputs[0]) * _widths(inputs[-1])
    return LayerCost(levels=_PRODUCT_LEVELS, bit_operations=float(operations[used].sum()))


@count_layer.register
def _count_max_pooling(
    layer: MaxPool2D, _inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    window = math.prod(layer.size)
    return LayerCost(
        compared=(window - 1) * float(_widths(results)[used].sum()),
        comparisons=math.ceil(math.log2(window)),
    )


@count_layer.register
def _count_table(
    _layer: Lookup, inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    # as many entries as the addresses have codes, of the bits that differ between them
    bits = 2.0 ** _widths(inputs[0]) * _widths(results)
    luts = np.where(bits > _BLOCK_RAM_BITS, 0.0, np.maximum(bits / _LUT_ENTRIES, _widths(results)))
    return LayerCost(tables=float(luts[used].sum()), levels=1)


@count_layer.register
def _count_trees(
    layer: DecisionTrees, _inputs: Sequence[ValueRange], results: ValueRange, used: Mask
) -> LayerCost:
    # two choices between bits take a LUT, those that give a leaf its number
    choices = (layer.leaves.shape[1] - 1 - layer.depth) / 2
    entries = max(layer.leaves.shape[1] / _LUT_ENTRIES, 1.0)
    luts = choices + entries * _widths(results)
    return LayerCost(tables=float(luts[used].sum()), levels=1)


@count_layer.register
def _count_wires(
    _layer: Concatenate | Reshape | Select | UpSample2D | ZeroPad2D,
    _inputs: Sequence[ValueRange],
    _results: ValueRange,
    _used: Mask,
) -> LayerCost:
    return LayerCost()


def signed_digits(values: Array, fixed_type: FixedPoint) -> NDArray[np.int64]:
    """Return how many signed digits that are not zero each number has at least.

    That is the weight of its non-adjacent form: the bits in which n and 3n differ.
    """
    codes = np.abs(fixed_type.codes(values))
    different = np.ascontiguousarray(codes ^ (3 * codes)).view(np.uint8)
    count = np.unpackbits(different.reshape(*codes.shape, 8), axis=-1).sum(axis=-1)
    result: NDArray[np.int64] = count.astype(np.int64)
    return result


def _weight_bits(values: Array, fixed_type: FixedPoint) -> Array:
    """Return the bits between the first and the last that are set; none of a zero."""
    codes = np.abs(fixed_type.codes(values))
    lowest = codes & -codes
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.floor(np.log2(codes)) - np.log2(lowest) + 1
    result: Array = np.where(codes > 0, bits, 0.0)
    return result


def _live(tensor: ValueRange) -> Array:
    """Return 1 for each element that ever changes, 0 for the others."""
    return (tensor.low < tensor.high).astype(np.float64)


def _widths(tensor: ValueRange) -> Array:
    """Return the bits of each element."""
    steps = (tensor.high - tensor.low) * 2.0**tensor.fraction
    result: Array = np.ceil(np.log2(steps + 1))
    return result
