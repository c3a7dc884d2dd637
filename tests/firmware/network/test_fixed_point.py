from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest

from l1distill.firmware.network.fixed_point import FixedPoint, parse_type, smallest_type
from l1distill.firmware.network.layers import Dense, Quantize
from l1distill.firmware.network.network import Network, widest_sum
from l1distill.firmware.network.value_range import value_range_of

TYPES = [
    FixedPoint(signed=True, integer=3, fraction=4),
    FixedPoint(signed=False, integer=2, fraction=6),
    FixedPoint(signed=True, integer=0, fraction=1),
    FixedPoint(signed=True, integer=2, fraction=3, rounding="RND_CONV", overflow="SAT_SYM"),
    FixedPoint(signed=True, integer=5, fraction=-2),
    FixedPoint(signed=False, integer=4, fraction=0, rounding="TRN", overflow="SAT"),
    FixedPoint(signed=True, integer=2, fraction=2, rounding="TRN", overflow="WRAP"),
]


def by_decimal(value: float, fixed_type: FixedPoint) -> float:
    """The same with decimal arithmetic, from the definition."""
    mode = ROUND_HALF_EVEN if fixed_type.rounding == "RND_CONV" else ROUND_FLOOR
    code = int((Decimal(value) / Decimal(2) ** -fixed_type.fraction).to_integral_value(mode))
    high = 2 ** (fixed_type.integer + fixed_type.fraction) - 1
    low = -high - 1 if fixed_type.signed else 0
    if fixed_type.overflow == "WRAP":
        code = (code - low) % (high - low + 1) + low
    else:
        code = min(max(code, -high if fixed_type.overflow == "SAT_SYM" else low), high)
    return float(code * Decimal(2) ** -fixed_type.fraction)


@pytest.mark.parametrize("fixed_type", TYPES)
def test_rounding_and_overflow_follow_their_definition(fixed_type: FixedPoint) -> None:
    values = np.arange(-40, 40, 1 / 64)  # every tie and both ends of every type
    expected = [by_decimal(value, fixed_type) for value in values.tolist()]
    result = fixed_type.quantize(values)
    assert result.tolist() == expected
    assert not np.signbit(result[result == 0]).any()
    assert fixed_type.holds(result)
    assert not fixed_type.holds(values)
    assert np.array_equal(fixed_type.codes(result) * fixed_type.step, result)


def test_nothing_holds_nan() -> None:
    assert not FixedPoint(signed=True, integer=3, fraction=4).holds([0.0, float("nan")])


def test_names_count_the_sign_as_hls_does() -> None:
    assert FixedPoint(signed=True, integer=3, fraction=4).hls == "fixed<8,4,RND_CONV,SAT>"
    assert FixedPoint(signed=False, integer=3, fraction=5).bare.hls == "ufixed<8,3,TRN,WRAP>"


@pytest.mark.parametrize(
    ("low", "high", "fraction", "bits"),
    [(0.0, 0.75, 2, 2), (-1.0, 0.75, 2, 3), (-1.25, 0.5, 2, 4), (0.0, 1.0, 0, 1), (0, 0, 3, 0)],
)
def test_the_smallest_type_is_the_smallest(
    low: float, high: float, fraction: int, bits: int
) -> None:
    fixed_type = smallest_type(low, high, fraction)
    assert fixed_type.bits == bits
    assert fixed_type.holds([low, high])


def test_the_accumulator_holds_the_worst_case() -> None:
    kernel = np.array([[0.5, -0.25], [0.25, -0.5]])
    weights, inputs = (
        FixedPoint(signed=True, integer=0, fraction=2),
        FixedPoint(signed=True, integer=2, fraction=1),
    )
    layer = Dense(
        "one", kernel=kernel, bias=np.array([0.25, -0.75]), kernel_type=weights, bias_type=weights
    )
    fixed_type = layer.value_range(value_range_of(inputs, 2)).type
    ends = np.array([[-4.0, -4.0], [3.5, 3.5]])
    assert fixed_type.holds(ends @ layer.kernel + layer.bias)
    assert (fixed_type.signed, fixed_type.integer, fixed_type.fraction) == (True, 2, 3)
    network = Network(
        inputs=2,
        input_type=inputs,
        layers=(layer, Quantize("two", type=inputs)),
        output_type=inputs,
    )
    assert widest_sum(network) == ("one", 5)


@pytest.mark.parametrize(
    ("text", "hls"),
    [
        ("fixed<16,6>", "fixed<16,6,RND_CONV,SAT>"),
        ("ap_fixed<16, 6>", "fixed<16,6,RND_CONV,SAT>"),
        ("ufixed<8,0,RND_CONV,SAT>", "ufixed<8,0,RND_CONV,SAT>"),
        ("ap_ufixed<8,1,AP_TRN,AP_WRAP>", "ufixed<8,1,TRN,WRAP>"),
        ("fixed<9,-2,TRN,SAT_SYM>", "fixed<9,-2,TRN,SAT_SYM>"),
        ("fixed<16,6,RND>", "fixed<16,6,RND,SAT>"),
    ],
)
def test_types_are_read_as_hls4ml_writes_them(text: str, hls: str) -> None:
    assert parse_type(text).hls == hls


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("float", "no fixed-point type"),
        ("fixed<16>", "no fixed-point type"),
        ("fixed<16,6,RND_INF>", "RND_INF is not supported; use TRN or RND or RND_CONV"),
        ("fixed<16,6,TRN,SAT_ZERO>", "SAT_ZERO is not supported"),
        ("fixed<1,1>", "has 1 bits; use 2 to 32"),
    ],
)
def test_other_types_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_type(text)
