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

KIND = FixedPoint(True, 1, 3)


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
        inputs = FixedPoint(bool(rng.integers(2)), int(rng.integers(-2, 2)), 2)
        if inputs.bits <= inputs.signed:
            continue
        weights = rng.integers(-6, 7, (columns, 1)) * 2.0 ** -rng.integers(0, 3)
        bias = rng.integers(-8, 9, 1) * 2.0 ** -rng.integers(0, 4)
        fraction, overflow = int(rng.integers(-1, 4)), "SAT_SYM" if rng.integers(2) else "SAT"
        kind = FixedPoint(bool(rng.integers(2)), 2, fraction, "RND_CONV", overflow)  # type: ignore[arg-type]
        free = FixedPoint(True, 5, 5)
        steps: list[Layer] = [Dense("sum", weights, bias, free, free), Quantize("round", kind)]
        is_exact(inputs, steps, all_values(inputs, columns))


def test_constants_among_what_is_summed() -> None:
    rng = np.random.default_rng(28)
    x = KIND.quantize(rng.uniform(-2, 2, (50, 4)))
    for _ in range(40):
        # zero padding before a normalization: its margins are the offset, those of the
        # convolution are zeros, and windows in a corner see nothing else
        steps: list[Layer] = [
            Reshape("image", (2, 2, 1)),
            ZeroPad2D("pad", ((1, 2), (0, 1))),
            Affine("norm", *KIND.quantize(rng.normal(0, 0.5, (2, 1))), KIND, KIND),
            Conv2D(
                "conv",
                KIND.quantize(rng.normal(0, 0.5, (3, 3, 1, 4))),
                np.zeros(4),
                KIND,
                KIND,
                "same",
            ),
        ]
        is_exact(KIND, steps, x)


def test_the_largest_of_numbers_that_know_each_other() -> None:
    one = FixedPoint(False, 0, 3)
    x = all_values(one, 2)
    kernel = np.array([[1.0, 0.5, 2.0, 1.0], [1.0, 1.0, 1.0, 0.5]])
    steps: list[Layer] = [
        Dense("sums", kernel, np.full(4, 0.25), KIND, KIND),
        Reshape("image", (2, 2, 1)),
        MaxPool2D("pool", (2, 1)),
    ]
    is_exact(one, steps, x)
    positive: list[Layer] = [
        Dense("sums", kernel, np.full(4, 0.25), KIND, KIND),
        Quantize("leaky", FixedPoint(True, 2, 1), 0.25),
    ]
    is_exact(one, positive, x)


def test_constants_with_too_many_digits_are_refused_by_name() -> None:
    fine = FixedPoint(True, 1, 28)
    offset = np.array([1 + 2.0**-28])
    layer = Affine("norm", np.ones(1), offset, KIND, fine)
    with pytest.raises(DataError, match=r"layer norm \(Affine\): .* the 24 bits that alkaid"):
        trace(connect(1, KIND, [layer]))
