"""Traces networks as alkaid's arrays of variables, which become logic.

What alkaid computes wrongly is in :mod:`l1distill.firmware.rtl.alkaid_workarounds`.
"""

from typing import Any

import numpy as np

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
from l1distill.firmware.rtl import alkaid_workarounds as workarounds
from l1distill.firmware.rtl.tree_logic import leaves_of


def trace(network: Network) -> Any:
    """Return alkaid's ``CombLogic`` of a network, from its input ports to its outputs.

    Raises:
        DataError: a constant has more digits than alkaid holds exactly.
        ToolError: another version of alkaid is installed than the workarounds are for.
    """
    workarounds.check_version()
    with workarounds.exact_last_digits():
        return _trace(network)


def _trace(network: Network) -> Any:
    from alkaid.trace import FVArray, HWConfig
    from alkaid.trace import trace as collect
    from alkaid.trace.passes import optimize

    input_type = network.input_type
    ports = network.ports
    inputs = FVArray.from_kif(
        np.array([int(port.signed) for port in ports]),
        np.array([port.integer for port in ports]),
        np.array([port.fraction for port in ports]),
        HWConfig(1, -1, -1),
        0.0,
        # at most two adder levels more than the shallowest tree: latency first; and no tables,
        # which cannot be made of values that are constants
        {"hard_dc": 2, "binary_lut": False},
    )
    # the network's own inputs obey a symmetric range, which the bits of a port cannot say
    values = workarounds.quantize(inputs, ports) if input_type.overflow == "SAT_SYM" else inputs
    tensors = [values[None]]  # layers take several events
    for layer, taken in zip(network.layers, network.wiring, strict=True):
        tensors.append(trace_layer(layer, *(tensors[number] for number in taken)))
    workarounds.order_by_delay(tensors[-1][0])
    logic = collect(inputs, tensors[-1][0], optimize=False)
    with workarounds.without_msb_canonicalization():
        # not traced a second time, where alkaid would choose the larger of two by itself, see
        # workarounds.maximum; from that pass comes the delay of every carry bit
        return optimize(logic._replace(carry_size=1), retrace=False)


@back_end("RTL")
def trace_layer(layer: Layer, *values: Any) -> Any:
    """Compute a layer with alkaid's variables instead of numbers.

    Args:
        layer: the layer.
        values: for each input an ``FVArray`` of (1, ...) variables.

    Returns:
        An ``FVArray`` of (1, ...) results.

    Raises:
        DataError: a constant has more digits than alkaid holds exactly.
    """
    raise NotImplementedError


@trace_layer.register
def _trace_dense(layer: Dense, values: Any) -> Any:
    workarounds.check_constants(layer, layer.kernel, layer.bias)
    return workarounds.matrix_product(layer, values, layer.kernel) + layer.bias


@trace_layer.register
def _trace_convolution(layer: Conv2D, values: Any) -> Any:
    workarounds.check_constants(layer, layer.kernel, layer.bias)
    return workarounds.matrix_product(layer, layer.windows(values), layer.matrix) + layer.bias


@trace_layer.register
def _trace_affine(layer: Affine, values: Any) -> Any:
    workarounds.check_constants(layer, layer.scale, layer.offset)
    return workarounds.scaled(layer, values, layer.scale) + layer.offset


@trace_layer.register
def _trace_quantizer(layer: Quantize, values: Any) -> Any:
    workarounds.check_constants(layer, [layer.type.low, layer.type.high])
    if layer.negative_slope != 1.0:
        values = workarounds.maximum(np.stack([values, values * layer.negative_slope], axis=-1))
    return workarounds.quantize(values, [layer.type] * values.size)


@trace_layer.register
def _trace_element_quantizer(layer: QuantizeElements, values: Any) -> Any:
    for fixed_type in layer.types:
        workarounds.check_constants(layer, [fixed_type.low, fixed_type.high])
    return workarounds.quantize(values, layer.types)


@trace_layer.register
def _trace_table(layer: Lookup, values: Any) -> Any:
    return workarounds.look_up(layer, values)


@trace_layer.register
def _trace_trees(layer: DecisionTrees, values: Any) -> Any:
    return leaves_of(layer, values)


@trace_layer.register
def _trace_max_pooling(layer: MaxPool2D, values: Any) -> Any:
    return workarounds.maximum(layer.windows(values))


@trace_layer.register
def _trace_square(_: Square, values: Any) -> Any:
    return workarounds.product(values, values)


@trace_layer.register
def _trace_product(_: Multiply, values: Any, others: Any) -> Any:
    return workarounds.product(values, others)


@trace_layer.register
def _trace_as_numbers(
    layer: Add | Concatenate | Reshape | Select | Subtract | UpSample2D | ZeroPad2D, *values: Any
) -> Any:
    return layer.apply(*values)
