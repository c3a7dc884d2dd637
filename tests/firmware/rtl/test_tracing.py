"""What alkaid gets wrong by itself: each of these fails without its detour."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Affine,
    Conv2D,
    Dense,
    Layer,
    MaxPool2D,
    Quantize,
    Reshape,
    ZeroPad2D,
)
from l1distill.firmware.network.network import connect, evaluate
from l1distill.firmware.rtl.tracing import trace
from l1distill.firmware.verification.comparison import compare

KIND = FixedPoint(signed=True, integer=1, fraction=3)


def is_exact(inputs: FixedPoint, layers: list[Layer], x: Any) -> None:
    network = connect(x.shape[1], inputs, layers)
    result = trace(network).predict(np.ascontiguousarray(x))
    assert compare(evaluate(network, x), result).mismatches == 0, layers


def all_values(kind: FixedPoint, columns: int) -> Any:
    one = np.arange(kind.low, kind.high + kind.step, kind.step)
    return np.array(list(product(*[one] * columns)))


@pytest.mark.parametrize("seed", range(4))
def test_rounding_of_any_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(150):
        columns = int(rng.integers(1, 4))
        inputs = FixedPoint(
            signed=bool(rng.integers(2)), integer=int(rng.integers(-2, 2)), fraction=2
        )
        if inputs.bits <= inputs.signed:
            continue
        weights = rng.integers(-6, 7, (columns, 1)) * 2.0 ** -rng.integers(0, 3)
        bias = rng.integers(-8, 9, 1) * 2.0 ** -rng.integers(0, 4)
        fraction, overflow = int(rng.integers(-1, 4)), "SAT_SYM" if rng.integers(2) else "SAT"
        kind = FixedPoint(
            signed=bool(rng.integers(2)),
            integer=2,
            fraction=fraction,
            rounding="RND_CONV",
            overflow=overflow,
        )  # type: ignore[arg-type]
        free = FixedPoint(signed=True, integer=5, fraction=5)
        steps: list[Layer] = [
            Dense("sum", kernel=weights, bias=bias, kernel_type=free, bias_type=free),
            Quantize("round", type=kind),
        ]
        is_exact(inputs, steps, all_values(inputs, columns))


def test_constants_among_what_is_summed() -> None:
    rng = np.random.default_rng(28)
    x = KIND.quantize(rng.uniform(-2, 2, (50, 4)))
    for _ in range(40):
        # zero padding before a normalization: its margins are the offset, those of the
        # convolution are zeros, and windows in a corner see nothing else
        scale, offset = KIND.quantize(rng.normal(0, 0.5, (2, 1)))
        steps: list[Layer] = [
            Reshape("image", shape=(2, 2, 1)),
            ZeroPad2D("pad", margins=((1, 2), (0, 1))),
            Affine("norm", scale=scale, offset=offset, scale_type=KIND, offset_type=KIND),
            Conv2D(
                "conv",
                kernel=KIND.quantize(rng.normal(0, 0.5, (3, 3, 1, 4))),
                bias=np.zeros(4),
                kernel_type=KIND,
                bias_type=KIND,
                padding="same",
            ),
        ]
        is_exact(KIND, steps, x)


def test_the_largest_of_numbers_that_know_each_other() -> None:
    one = FixedPoint(signed=False, integer=0, fraction=3)
    x = all_values(one, 2)
    kernel = np.array([[1.0, 0.5, 2.0, 1.0], [1.0, 1.0, 1.0, 0.5]])
    steps: list[Layer] = [
        Dense("sums", kernel=kernel, bias=np.full(4, 0.25), kernel_type=KIND, bias_type=KIND),
        Reshape("image", shape=(2, 2, 1)),
        MaxPool2D("pool", size=(2, 1)),
    ]
    is_exact(one, steps, x)
    positive: list[Layer] = [
        Dense("sums", kernel=kernel, bias=np.full(4, 0.25), kernel_type=KIND, bias_type=KIND),
        Quantize("leaky", type=FixedPoint(signed=True, integer=2, fraction=1), negative_slope=0.25),
    ]
    is_exact(one, positive, x)


def test_constants_with_too_many_digits_are_refused_by_name() -> None:
    fine = FixedPoint(signed=True, integer=1, fraction=28)
    offset = np.array([1 + 2.0**-28])
    layer = Affine("norm", scale=np.ones(1), offset=offset, scale_type=KIND, offset_type=fine)
    with pytest.raises(DataError, match=r"layer norm \(Affine\): .* the 24 bits that alkaid"):
        trace(connect(1, KIND, [layer]))
