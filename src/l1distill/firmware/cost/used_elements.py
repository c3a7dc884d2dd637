"""Finds the elements of each tensor that the outputs depend on: the others cost nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from l1distill.firmware.network.back_ends import back_end
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
from l1distill.firmware.network.network import Network
from l1distill.firmware.network.value_range import ValueRange

Mask = NDArray[np.bool_]


def used_elements(network: Network, ranges: Sequence[ValueRange]) -> list[Mask]:
    """Tell which elements of each tensor anything behind it depends on.

    Args:
        network: the network; all of its outputs are used.
        ranges: the value range of each tensor.

    Returns:
        For each tensor a mask in its shape; elements that never change are not used.
    """
    used = [np.zeros(tensor.shape, np.bool_) for tensor in ranges]
    used[-1][:] = True
    for number in reversed(range(len(network.layers))):
        taken = network.wiring[number]
        inputs = [ranges[source] for source in taken]
        masks = used_inputs(network.layers[number], inputs, used[number + 1])
        for source, mask in zip(taken, masks, strict=True):
            used[source] |= mask & (ranges[source].low < ranges[source].high)
    return used


@back_end("cost estimate, used elements")
def used_inputs(layer: Layer, inputs: Sequence[ValueRange], used: Mask) -> Sequence[Mask]:
    """Tell on which elements of its inputs the used results of a layer depend.

    Args:
        layer: the layer.
        inputs: the value range of each input.
        used: for each result, whether it is used.

    Returns:
        A mask for each input, in its shape.
    """
    raise NotImplementedError


@used_inputs.register
def _used_by_dense(layer: Dense, _inputs: Sequence[ValueRange], used: Mask) -> Sequence[Mask]:
    return [(layer.kernel[:, used] != 0).any(axis=1)]


@used_inputs.register
def _used_by_convolution(layer: Conv2D, inputs: Sequence[ValueRange], used: Mask) -> Sequence[Mask]:
    channels = used.reshape(-1, used.shape[-1]).astype(np.float64)
    taps = channels @ (layer.matrix != 0).T > 0
    return [_marked(layer.windows(_numbered(inputs[0])).reshape(taps.shape)[taps], inputs[0])]


@used_inputs.register
def _used_by_max_pooling(
    layer: MaxPool2D, inputs: Sequence[ValueRange], used: Mask
) -> Sequence[Mask]:
    return [_marked(layer.windows(_numbered(inputs[0]))[0][used], inputs[0])]


@used_inputs.register
def _used_by_selection(
    layer: Reshape | Select | UpSample2D | ZeroPad2D, inputs: Sequence[ValueRange], used: Mask
) -> Sequence[Mask]:
    return [_marked(layer.apply(_numbered(inputs[0]))[0][used], inputs[0])]


@used_inputs.register
def _used_by_trees(
    layer: DecisionTrees, inputs: Sequence[ValueRange], used: Mask
) -> Sequence[Mask]:
    return [_marked(1 + layer.columns[used], inputs[0])]


@used_inputs.register
def _used_element_by_element(
    _layer: Add | Affine | Lookup | Multiply | Quantize | QuantizeElements | Square | Subtract,
    inputs: Sequence[ValueRange],
    used: Mask,
) -> Sequence[Mask]:
    return [used] * len(inputs)


@used_inputs.register
def _used_by_concatenation(
    layer: Concatenate, inputs: Sequence[ValueRange], used: Mask
) -> Sequence[Mask]:
    return np.split(used, [inputs[0].shape[layer.axis]], axis=layer.axis)


def _numbered(tensor: ValueRange) -> NDArray[np.int64]:
    """Return one event whose elements are numbers from 1; 0 is one of the zeros around an image."""
    return 1 + np.arange(tensor.size).reshape(1, *tensor.shape)


def _marked(numbers: NDArray[np.int64], tensor: ValueRange) -> Mask:
    """Return the mask of the elements with these numbers."""
    flat = np.zeros(tensor.size + 1, np.bool_)
    flat[numbers] = True
    return flat[1:].reshape(tensor.shape)
