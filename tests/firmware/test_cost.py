"""The fast estimate, held against counts by hand and against alkaid's own logic."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from l1distill.firmware.cost import estimate
from l1distill.firmware.cost.layer_cost import signed_digits
from l1distill.firmware.functions.softmax import append_softmax
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Conv2D,
    Dense,
    Lookup,
    MaxPool2D,
    Quantize,
    QuantizeElements,
    Reshape,
)
from l1distill.firmware.network.network import Network, connect
from l1distill.firmware.network.value_range import value_range_of
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import YosysCounts, synthesize_verilog
from tests.firmware.students import HARDWARE

INPUT = FixedPoint(signed=True, integer=2, fraction=5)
WEIGHT = FixedPoint(signed=True, integer=0, fraction=7)


def _canonical(number: int) -> int:
    """Signed digits of a number, by the rule that is taught: a digit of +-1 where it is odd."""
    digits = 0
    while number:
        if number % 2:
            number -= 2 - number % 4
            digits += 1
        number //= 2
    return digits


def _network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    bits, inputs, hidden = rng.integers(2, 8), rng.integers(4, 16), rng.integers(2, 12)
    weight = FixedPoint(signed=True, integer=0, fraction=int(bits) - 1)

    def dense(name: str, n_in: int, n_out: int) -> Dense:
        kept = rng.random((n_in, n_out)) > 0.9 * rng.random()
        kernel = weight.quantize(rng.normal(0, 0.5, (n_in, n_out)) * kept)
        return Dense(
            name,
            kernel=kernel,
            bias=weight.quantize(rng.normal(0, 0.5, n_out)),
            kernel_type=weight,
            bias_type=weight,
        )

    relu = Quantize(
        "relu", type=FixedPoint(signed=False, integer=2, fraction=int(rng.integers(2, 6)))
    )
    return connect(inputs, INPUT, [dense("one", inputs, hidden), relu, dense("two", hidden, 2)])


def test_signed_digits() -> None:
    fixed_type = FixedPoint(signed=True, integer=12, fraction=2)
    codes = np.arange(-4096, 4097)
    expected = [_canonical(abs(code)) for code in codes.tolist()]
    assert signed_digits(codes / 4.0, fixed_type).tolist() == expected


def test_bit_operations_by_hand() -> None:
    kernel = np.array([[0.75], [0.5], [0.0]])  # 3/4: two bits; 1/2: one; none
    network = connect(
        3,
        INPUT,
        [Dense("dense", kernel=kernel, bias=np.zeros(1), kernel_type=WEIGHT, bias_type=WEIGHT)],
    )
    assert estimate(network, 5.0).bit_operations == (2 + 1) * INPUT.bits


def test_a_convolution_counts_once_for_each_place() -> None:
    kernel = np.array([0.75, 0.5, 0.0]).reshape(3, 1, 1, 1)
    layers = [
        Reshape("image", shape=(8, 1, 1)),
        Conv2D(
            "convolution", kernel=kernel, bias=np.zeros(1), kernel_type=WEIGHT, bias_type=WEIGHT
        ),
        MaxPool2D("pool", size=(3, 1)),
    ]
    cost = estimate(connect(8, INPUT, layers), 5.0)
    assert cost.bit_operations == 6 * (2 + 1) * INPUT.bits
    without = estimate(connect(8, INPUT, layers[:2]), 5.0)
    assert cost.lut_estimate > without.lut_estimate
    assert cost.latency_ns_estimate > without.latency_ns_estimate


def test_what_is_padded_or_left_over_costs_nothing() -> None:
    kernel = np.array([0.75, 0.5, 0.75]).reshape(3, 1, 1, 1)
    padded = Conv2D(
        "convolution",
        kernel=kernel,
        bias=np.zeros(1),
        kernel_type=WEIGHT,
        bias_type=WEIGHT,
        padding="same",
    )
    layers = [Reshape("image", shape=(8, 1, 1)), padded]
    # 8 places of 5 bits, without the first 2 of the first place and the last 2 of the last
    assert estimate(connect(8, INPUT, layers), 5.0).bit_operations == (8 * 5 - 2 - 2) * INPUT.bits
    pooled = estimate(connect(8, INPUT, [*layers, MaxPool2D("pool", size=(3, 1))]), 5.0)
    # a window of three and one more: the last two of eight places are left over
    assert pooled.bit_operations == (6 * 5 - 2) * INPUT.bits
    other = np.array([[0.5], [0.0]])
    last = [
        Reshape("flat", shape=(2,)),
        Dense("dense", kernel=other, bias=np.zeros(1), kernel_type=WEIGHT, bias_type=WEIGHT),
    ]
    behind = connect(8, INPUT, [*layers, MaxPool2D("pool", size=(3, 1)), *last])
    # nothing depends on the second window; sums within +-8, in steps of 2**-12, meet one bit
    assert estimate(behind, 5.0).bit_operations == (3 * 5 - 2) * INPUT.bits + 16


def test_an_and_with_the_sign_is_free() -> None:
    dense = Dense(
        "dense",
        kernel=np.full((4, 3), 0.75),
        bias=np.zeros(3),
        kernel_type=WEIGHT,
        bias_type=WEIGHT,
    )
    sums = dense.value_range(value_range_of(INPUT, 4)).type
    luts = [
        estimate(connect(4, INPUT, [dense, *relu]), 5.0).lut_estimate
        for relu in (
            [],
            [
                Quantize(
                    "relu",
                    type=FixedPoint(signed=False, integer=sums.integer, fraction=sums.fraction),
                )
            ],
            [
                Quantize(
                    "relu",
                    type=FixedPoint(signed=False, integer=sums.integer, fraction=sums.fraction - 1),
                )
            ],
            [
                Quantize(
                    "relu",
                    type=FixedPoint(signed=False, integer=sums.integer - 1, fraction=sums.fraction),
                )
            ],
        )
    ]
    assert luts[0] == luts[1] < min(luts[2:])


def test_a_pruned_weight_costs_nothing() -> None:
    network = _network(3)
    first = network.layers[0]
    assert isinstance(first, Dense)
    empty = replace(first, kernel=np.zeros_like(first.kernel), bias=np.zeros_like(first.bias))
    bare = connect(network.inputs, INPUT, [empty, *network.layers[1:]])
    assert estimate(bare, 5.0).bit_operations < estimate(network, 5.0).bit_operations
    assert estimate(bare, 5.0).lut_estimate < estimate(network, 5.0).lut_estimate


@pytest.mark.filterwarnings("ignore::scipy.stats.ConstantInputWarning")
def test_networks_are_ranked_as_the_logic_ranks_them() -> None:
    networks = [_network(seed) for seed in range(24)]
    logic = [trace_network(network).logic for network in networks]
    costs = [estimate(network, 5.0) for network in networks]
    lut = spearmanr([cost.lut_estimate for cost in costs], [one.cost for one in logic])
    assert lut.statistic > 0.95
    late = [max(op.latency for op in one.ops) for one in logic]
    delay = spearmanr([cost.latency_ns_estimate for cost in costs], late)
    assert delay.statistic > 0.7


def _synthesized(network: Network, folder: Path) -> YosysCounts:
    write_rtl(trace_network(network), HARDWARE, 3.5, folder)
    limit = TimeLimit(300.0, "firmware.yosys_time_limit_s")
    return synthesize_verilog(verilog_files(folder), TOP, HARDWARE.family, limit, 4.0)


def test_a_small_table_is_luts(tmp_path: Path) -> None:
    address = FixedPoint(signed=False, integer=0, fraction=8)
    values = address.quantize(np.tanh(3 * np.arange(256) / 256))
    table = Lookup("tanh", address_type=address, table=values, table_type=address)
    network = connect(1, address, [table])
    assert estimate(network, 3.5).lut_estimate == pytest.approx(32)
    assert _synthesized(network, tmp_path).lut == pytest.approx(32, rel=0.15)


def test_large_tables_are_block_ram(tmp_path: Path) -> None:
    """The softmax of five classes in 8 bits: six tables of 1,024 and 2,048 entries."""
    builder = Builder(5, FixedPoint(signed=True, integer=3, fraction=4))
    append_softmax(builder, 0, "softmax", 8)
    counts = _synthesized(builder.network(), tmp_path)
    assert counts.bram_18k >= 6
    assert counts.lut < estimate(builder.network(), 3.5).lut_estimate < 1.6 * counts.lut


def test_bits_that_are_left_out_cost_nothing() -> None:
    """A type of each element that drops bits is wires; one that rounds and clips is adders."""
    for rounding, overflow, costs in (("TRN", "WRAP", False), ("RND", "SAT", True)):
        types = tuple(
            FixedPoint(
                signed=True,
                integer=1,
                fraction=n,
                rounding=rounding,
                overflow=overflow,  # type: ignore[arg-type]
            )
            for n in (1, 3)
        )
        network = connect(2, INPUT, [QuantizeElements("each", types=types)])
        assert (estimate(network, 3.5).lut_estimate > 0) is costs
