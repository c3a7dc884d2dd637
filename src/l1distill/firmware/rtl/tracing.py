"""Networks in alkaid's arrays of variables, around what alkaid 0.8.2 gets wrong.

Each detour names its fault; the parity tests find every one of them without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Multiply,
    Quantize,
    Square,
)
from l1distill.firmware.network.network import Network


def trace(network: Network) -> Any:
    """Returns alkaid's ``CombLogic`` of a network, from its input ports to its outputs.

    Raises:
        DataError: a constant has more digits than alkaid holds exactly.
    """
    from alkaid.trace import FVArray, HWConfig
    from alkaid.trace import trace as collect
    from alkaid.trace.passes import optimize

    kind = network.input_type
    shape = (network.inputs,)
    inputs = FVArray.from_kif(
        np.full(shape, int(kind.signed)),
        np.full(shape, kind.integer),
        np.full(shape, kind.fraction),
        HWConfig(1, -1, -1),
        0.0,
        # at most two adder levels more than the shallowest tree: latency first; and no tables,
        # which cannot be made of values that are constants
        {"hard_dc": 2, "binary_lut": False},
    )
    # the network's own inputs obey a symmetric range, which the bits of a port cannot say
    values = _quantize(inputs, kind) if kind.overflow == "SAT_SYM" else inputs
    tensors = [values[None]]  # layers take several events
    for layer, taken in zip(network.layers, network.wiring, strict=True):
        tensors.append(_trace_layer(layer, *(tensors[number] for number in taken)))
    logic = collect(inputs, tensors[-1][0], optimize=False)
    with _every_bit_in_its_place():
        # not traced a second time, where alkaid would choose the larger of two by itself, see
        # _largest; from that pass comes the delay of every carry bit
        return optimize(logic._replace(carry_size=1), retrace=False)


@contextmanager
def _every_bit_in_its_place() -> Iterator[None]:
    """Leaves out a pass of the optimizer: it takes some other bits for the highest one."""
    from alkaid.trace.passes import canon

    faulty = canon.canonicalize_msb_wraps
    canon.canonicalize_msb_wraps = lambda logic: logic
    try:
        yield
    finally:
        canon.canonicalize_msb_wraps = faulty


def _trace_layer(layer: Layer, values: Any, *more: Any) -> Any:
    if isinstance(layer, Dense):
        _check_constants(layer, layer.kernel, layer.bias)
        return _products(layer, values, layer.kernel) + layer.bias
    if isinstance(layer, Conv2D):
        _check_constants(layer, layer.kernel, layer.bias)
        return _products(layer, layer.windows(values), layer.matrix) + layer.bias
    if isinstance(layer, Affine):
        _check_constants(layer, layer.scale, layer.offset)
        return values * layer.scale + layer.offset
    if isinstance(layer, Quantize):
        _check_constants(layer, [layer.type.low, layer.type.high])
        if layer.negative_slope != 1.0:
            values = _largest(np.stack([values, values * layer.negative_slope], axis=-1))
        return _quantize(values, layer.type)
    if isinstance(layer, MaxPool2D):
        return _largest(layer.windows(values))
    if isinstance(layer, Square):
        return _product(values, values)
    if isinstance(layer, Multiply):
        return _product(values, *more)
    return layer.apply(values, *more)


def _product(values: Any, others: Any) -> Any:
    """Returns the products of variables, element by element.

    alkaid gives a product a negative delay where it has not been told the size of a carry, and
    then looks for the product in front of its factors.
    """
    from alkaid.trace import FVArray

    def one(value: Any, other: Any) -> Any:
        if value.low == value.high:
            return other * float(value.low)
        if other.low == other.high:
            return value * float(other.low)
        for bit, number in ((value, other), (other, value)):
            if (float(bit.low), float(bit.high), float(bit.step)) == (0.0, 1.0, 1.0):
                return bit.msb_mux(number, 0.0)  # gates, where a product would be a multiplier
        product = value * other
        product.latency = max(product.latency, value.latency, other.latency)
        return product

    found = np.frompyfunc(one, 2, 1)(np.asarray(values), np.asarray(others))
    return FVArray(found, values.solver_options, hwconf=values.hwconf)


def _check_constants(layer: Layer, *constants: ArrayLike) -> None:
    """Refuses constants that alkaid would round: it looks at them as float32."""
    for values in map(np.asarray, constants):
        if not np.array_equal(values.astype(np.float32), values):
            raise DataError(
                f"layer {layer.name} ({type(layer).__name__}): its constants take more than the "
                "24 bits that alkaid holds exactly; give it fewer bits, or put zero padding "
                "behind the normalization instead of before it"
            )


def _largest(values: Any) -> Any:
    """Returns the largest along the last axis.

    alkaid takes a difference's highest bit for its sign, also where it knows that the
    difference is never negative and has no sign.
    """
    from alkaid.trace import FVArray

    def larger(one: Any, other: Any) -> Any:
        difference = one - other
        if difference.low >= 0:
            return one
        return other if difference.high <= 0 else one.max_of(other)

    found = np.frompyfunc(larger, 2, 1).reduce(np.asarray(values), axis=-1)
    return FVArray(found, values.solver_options, hwconf=values.hwconf)


def _products(layer: Layer, values: Any, matrix: NDArray[np.float64]) -> Any:
    """Returns ``values @ matrix`` with the constants among the values worked out beforehand.

    alkaid gets rows wrong that consist of constants, as at the margins of a padded image.
    """
    from alkaid.trace import FVArray

    rows = np.asarray(values).reshape(-1, len(matrix))
    sums = np.empty((len(rows), matrix.shape[1]), dtype=object)
    for row, result in zip(rows, sums, strict=True):
        fixed = np.array([float(value.low) == float(value.high) for value in row])
        constants = np.array([float(value.low) for value in row[fixed]])
        result[:] = constants @ matrix[fixed]
        _check_constants(layer, result.astype(np.float64))
        if not fixed.all():
            live = FVArray(row[~fixed], values.solver_options, hwconf=values.hwconf)
            result[:] = np.asarray(live @ matrix[~fixed]) + result
    shape = (*values.shape[:-1], matrix.shape[1])
    return FVArray(sums.reshape(shape), values.solver_options, hwconf=values.hwconf)


def _quantize(values: Any, kind: FixedPoint) -> Any:
    """Returns ``values`` as ``kind`` holds them."""
    from alkaid.trace import FVArray

    result = np.empty(values.shape, dtype=object)
    for index, value in np.ndenumerate(np.asarray(values)):
        result[index] = _quantize_one(value, kind)
    return FVArray(result, values.solver_options, hwconf=values.hwconf)


def _quantize_one(value: Any, kind: FixedPoint) -> Any:
    """Returns a variable, or the number that is the same for all its values.

    alkaid rounds half to even wrongly where only one result is possible, and where adding half a
    step makes the grid coarser, as it does for numbers that are all halves.
    """
    ends = kind.quantize([float(value.low), float(value.high)])
    if kind.overflow != "WRAP" and ends[0] == ends[1]:
        return float(ends[0])
    signed, integer, fraction = int(kind.signed), kind.integer, kind.fraction
    if kind.rounding == "RND_CONV" and kind.overflow != "WRAP":
        clipped = value.max_of(kind.low).min_of(kind.high)
        digits = int(clipped.kif[2])
        if digits > fraction and int((clipped + kind.step / 2).kif[2]) != digits:
            # half a step, less the last digit where the digit to be kept is even
            last = 2.0 ** -int(value.kif[2])
            odd = value.quantize(0, 1 - fraction, fraction, "WRAP", "TRN")
            value = value + odd * (last / kind.step) + (kind.step / 2 - last)
            return value.quantize(signed, integer, fraction, kind.overflow, "TRN")
    return value.quantize(signed, integer, fraction, kind.overflow, kind.rounding)
