"""Works around what alkaid 0.8.2 computes wrongly, each function one fault of it.

``tests/firmware/rtl/test_alkaid_workarounds.py`` shows that each is needed. They hold for
:data:`CHECKED_VERSION` alone, see :func:`check_version`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1distill.core.errors import DataError, ToolError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Layer, Lookup

CHECKED_VERSION = "0.8.2"
"""The version of alkaid that the workarounds in this module were made for."""
SEARCHED_BITS = 16
"""Widest constant for whose product the fewest adders are searched, which takes a second."""

ZERO_DIGIT = 127
"""What alkaid takes for the exponent of the last digit of zero."""


def check_version() -> None:
    """Refuse a version of alkaid that the workarounds of this module were not checked with.

    One of them replaces a function inside alkaid. With another version it could leave a fault
    that it does not know, or bring one in. To change the version, run
    ``tests/firmware/rtl/test_alkaid_workarounds.py`` and ``tests/firmware/test_parity.py`` with
    the new one, take out what is not needed any more, and set :data:`CHECKED_VERSION`.

    Raises:
        ToolError: another version is installed.
    """
    installed = version("alkaid")
    if installed != CHECKED_VERSION:
        raise ToolError(
            f"alkaid {installed}: is not known to compute networks exactly; install "
            f"alkaid=={CHECKED_VERSION}, which the workarounds in {__name__} were checked with"
        )


@contextmanager
def without_msb_canonicalization() -> Iterator[None]:
    """Leave out a pass of alkaid's optimizer: it takes some other bits for the highest one."""
    from alkaid.trace.passes import canon

    faulty = canon.canonicalize_msb_wraps
    canon.canonicalize_msb_wraps = lambda logic: logic
    try:
        yield
    finally:
        canon.canonicalize_msb_wraps = faulty


@contextmanager
def exact_last_digits() -> Iterator[None]:
    """Look for the last digit of a number in all its 53 bits.

    alkaid does it in those of a float32, and so takes sums of more than 24 bits, and the products
    of a scale of as many, for coarser than they are: their last digits are lost.
    """
    from alkaid.trace import affine_interval, fixed_variable, fixed_variable_array, tracer
    from alkaid.trace.passes import canon

    modules: tuple[Any, ...] = (
        affine_interval,
        fixed_variable,
        fixed_variable_array,
        tracer,
        canon,
    )
    faulty = affine_interval.get_lsb_loc
    for module in modules:
        module.get_lsb_loc = last_digit
    try:
        yield
    finally:
        for module in modules:
            module.get_lsb_loc = faulty


def last_digit(number: float) -> int:
    """Return the exponent of the last binary digit of a number that is 1.

    Of zero, which has none, it is the one that alkaid gives.
    """
    numerator, denominator = float(number).as_integer_ratio()
    if numerator == 0:
        return ZERO_DIGIT
    return (numerator & -numerator).bit_length() - denominator.bit_length()


def quantize(values: Any, types: Sequence[FixedPoint]) -> Any:
    """Return variables rounded and clipped to their types, the last index running fastest."""
    from alkaid.trace import FVArray

    result = np.empty(values.shape, dtype=object)
    for (index, value), fixed_type in zip(np.ndenumerate(np.asarray(values)), types, strict=True):
        result[index] = _quantize_one(value, fixed_type)
    return FVArray(result, values.solver_options, hwconf=values.hwconf)


def _quantize_one(value: Any, fixed_type: FixedPoint) -> Any:
    """Return a variable, or the number that is the same for all its values.

    alkaid rounds half to even wrongly where only one result is possible, and where adding half a
    step makes the grid coarser, as it does for numbers that are all halves.
    """
    if not fixed_type.bits:
        return 0.0
    ends = fixed_type.quantize([float(value.low), float(value.high)])
    if fixed_type.overflow != "WRAP" and ends[0] == ends[1]:
        return float(ends[0])
    signed, integer, fraction = int(fixed_type.signed), fixed_type.integer, fixed_type.fraction
    rounding, overflow, step = fixed_type.rounding, fixed_type.overflow, fixed_type.step
    if rounding == "RND_CONV" and overflow != "WRAP":
        clipped = value.max_of(fixed_type.low).min_of(fixed_type.high)
        digits = int(clipped.kif[2])
        if digits > fraction and int((clipped + step / 2).kif[2]) != digits:
            # half a step, less the last digit where the digit to be kept is even
            last = 2.0 ** -int(value.kif[2])
            odd = value.quantize(0, 1 - fraction, fraction, "WRAP", "TRN")
            value = value + odd * (last / step) + (step / 2 - last)
            return value.quantize(signed, integer, fraction, overflow, "TRN")
    return value.quantize(signed, integer, fraction, overflow, rounding)


def matrix_product(layer: Layer, values: Any, matrix: NDArray[np.float64]) -> Any:
    """Return ``values @ matrix`` with the constants among the values worked out beforehand.

    alkaid gets rows wrong that consist of constants, as at the margins of a padded image.
    """
    from alkaid.trace import FVArray

    rows = np.asarray(values).reshape(-1, len(matrix))
    sums = np.empty((len(rows), matrix.shape[1]), dtype=object)
    for row, result in zip(rows, sums, strict=True):
        fixed = np.array([float(value.low) == float(value.high) for value in row])
        constants = np.array([float(value.low) for value in row[fixed]])
        result[:] = constants @ matrix[fixed]
        check_constants(layer, result.astype(np.float64))
        if not fixed.all():
            live = FVArray(row[~fixed], values.solver_options, hwconf=values.hwconf)
            result[:] = np.asarray(live @ matrix[~fixed]) + result
    shape = (*values.shape[:-1], matrix.shape[1])
    return FVArray(sums.reshape(shape), values.solver_options, hwconf=values.hwconf)


def scaled(layer: Layer, values: Any, factors: NDArray[np.float64]) -> Any:
    """Return ``values * factors``, element by element.

    alkaid searches for the fewest adders of a single constant, which takes seconds from
    :data:`SEARCHED_BITS` on and does not end at the 24 of a float32; its solver for matrices
    takes the place of the search there.
    """
    from alkaid.trace import FVArray

    constants = np.broadcast_to(factors, values.shape)
    wide = significant_bits(constants) > SEARCHED_BITS
    if not wide.any():
        return values * factors
    results = np.asarray(values * np.where(wide, 1.0, constants))
    for place in np.argwhere(wide):
        at = tuple(place)
        one = FVArray(np.array([[values[at]]]), values.solver_options, hwconf=values.hwconf)
        results[at] = np.asarray(matrix_product(layer, one, constants[at].reshape(1, 1)))[0, 0]
    return FVArray(results, values.solver_options, hwconf=values.hwconf)


def significant_bits(constants: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many binary digits of each constant lie between its first and last 1."""
    mantissas = np.ldexp(np.abs(np.frexp(constants)[0]), 53).astype(np.int64)
    trailing = np.frexp((mantissas & -mantissas).astype(np.float64))[1] - 1
    return np.where(mantissas == 0, 0, 53 - trailing)


def maximum(values: Any) -> Any:
    """Return the largest along the last axis.

    alkaid takes a difference's highest bit for its sign, also where it knows that the
    difference is never negative and has no sign.
    """
    from alkaid.trace import FVArray

    def larger(one: Any, other: Any) -> Any:
        difference = one - other
        if difference.low >= 0:
            return one
        return other if difference.high <= 0 else one.max_of(other)

    largest = np.frompyfunc(larger, 2, 1).reduce(np.asarray(values), axis=-1)
    return FVArray(largest, values.solver_options, hwconf=values.hwconf)


def product(values: Any, others: Any) -> Any:
    """Return the products of variables, element by element.

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

    products = np.frompyfunc(one, 2, 1)(np.asarray(values), np.asarray(others))
    return FVArray(products, values.solver_options, hwconf=values.hwconf)


def order_by_delay(outputs: Any) -> None:
    """Make no variable earlier than those that it is computed from.

    alkaid gives a sum of more than 46 bits a negative delay where it has not been told the size of
    a carry, and then looks for the sum in front of its terms.

    Args:
        outputs: an ``FVArray`` of variables; they and all before them are changed.
    """
    stack, seen = list(np.asarray(outputs).ravel()), set()
    while stack:
        variable = stack[-1]
        terms = [term for term in variable._from if id(term) not in seen]
        if terms and id(variable) not in seen:
            stack.extend(terms)
            continue
        stack.pop()
        seen.add(id(variable))
        variable.latency = max([variable.latency, *(term.latency for term in variable._from)])


def look_up(layer: Lookup, values: Any) -> Any:
    """Return the entries of a table that variables are the addresses of.

    alkaid takes a table for no other variable than one that reaches each of its entries, and
    cannot cut one to measure.
    """
    from alkaid.trace import FVArray

    def one(value: Any) -> Any:
        entries = layer.reached(float(value.low), float(value.high))
        stride = round(float(value.step) / layer.address_type.step) if len(entries) > 1 else 1
        entries = entries[::stride]
        if np.all(entries == entries[0]):
            return float(entries[0])
        return value.lookup(np.ascontiguousarray(entries))

    looked_up = np.frompyfunc(one, 1, 1)(np.asarray(values))
    return FVArray(looked_up, values.solver_options, hwconf=values.hwconf)


def check_constants(layer: Layer, *constants: ArrayLike) -> None:
    """Refuse constants that alkaid would round: it looks at them as float32."""
    for values in map(np.asarray, constants):
        if not np.array_equal(values.astype(np.float32), values):
            raise DataError(
                f"layer {layer.name} ({type(layer).__name__}): its constants take more than the "
                "24 bits that alkaid holds exactly; give it fewer bits, or put zero padding "
                "behind the normalization instead of before it"
            )
