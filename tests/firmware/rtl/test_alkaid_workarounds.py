"""What alkaid gets wrong by itself, and that each workaround is for the installed version."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError, ToolError
from l1distill.firmware.functions.score_head import with_score
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
from l1distill.firmware.rtl import alkaid_workarounds as workarounds
from l1distill.firmware.rtl.tracing import trace
from l1distill.firmware.settings import ScoreSettings
from l1distill.firmware.verification.comparison import compare
from tests.firmware.functions.test_score_head import encoder

KIND = FixedPoint(signed=True, integer=1, fraction=3)


def assert_exact(inputs: FixedPoint, layers: list[Layer], x: Any) -> None:
    network = connect(x.shape[1], inputs, layers)
    result = trace(network).predict(np.ascontiguousarray(x))
    assert compare(evaluate(network, x), result).mismatches == 0, layers


def all_values(fixed_type: FixedPoint, columns: int) -> Any:
    one = np.arange(fixed_type.low, fixed_type.high + fixed_type.step, fixed_type.step)
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
        fixed_type = FixedPoint(
            signed=bool(rng.integers(2)),
            integer=2,
            fraction=fraction,
            rounding="RND_CONV",
            overflow=overflow,
        )  # type: ignore[arg-type]
        free = FixedPoint(signed=True, integer=5, fraction=5)
        steps: list[Layer] = [
            Dense("sum", kernel=weights, bias=bias, kernel_type=free, bias_type=free),
            Quantize("round", type=fixed_type),
        ]
        assert_exact(inputs, steps, all_values(inputs, columns))


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
        assert_exact(KIND, steps, x)


@pytest.mark.timeout(60)
def test_a_scale_of_float32_is_not_searched_for_ever() -> None:
    """alkaid alone does not come back from 0.7, which takes 24 bits."""
    one = FixedPoint(signed=True, integer=3, fraction=3)
    fine = FixedPoint(signed=True, integer=1, fraction=24)
    scale = np.array([np.float32(0.7), -np.float32(0.55), 0.75, 1.0], np.float64)
    assert workarounds.significant_bits(scale).tolist() == [24, 24, 2, 1]
    norm = Affine("norm", scale=scale, offset=np.full(4, 0.25), scale_type=fine, offset_type=KIND)
    x = np.repeat(all_values(one, 1), 4, axis=1)
    assert_exact(one, [norm], x)


def test_the_last_digits_of_scaled_sums() -> None:
    """alkaid alone takes steps of 2^-34 for twice as wide."""
    rng = np.random.default_rng(5)
    one = FixedPoint(signed=True, integer=3, fraction=4)
    weight = FixedPoint(signed=True, integer=0, fraction=5)
    fine = FixedPoint(signed=False, integer=0, fraction=24)
    kernel = weight.quantize(rng.uniform(-1, 1, (8, 4)))
    layers: list[Layer] = [
        Dense("sums", kernel=kernel, bias=np.zeros(4), kernel_type=weight, bias_type=weight),
        Affine(
            "scale",
            scale=np.full(4, float(np.float32(0.7))),
            offset=np.zeros(4),
            scale_type=fine,
            offset_type=KIND,
        ),
    ]
    assert_exact(one, layers, one.quantize(rng.normal(0, 5, (300, 8))))


def test_the_last_digit_of_a_number() -> None:
    numbers = (0.75, -6.0, 1 + 2.0**-40, 2.0**-140, 3 * 2.0**50)
    assert [workarounds.last_digit(number) for number in numbers] == [-2, 1, -40, -140, 50]


def test_significant_bits_of_a_constant() -> None:
    constants = np.array([0.0, 1.0, -4.0, 0.75, 179 / 256, 2.0**-30 + 1])
    assert workarounds.significant_bits(constants).tolist() == [0, 1, 1, 2, 8, 31]


def test_the_largest_of_numbers_that_know_each_other() -> None:
    one = FixedPoint(signed=False, integer=0, fraction=3)
    x = all_values(one, 2)
    kernel = np.array([[1.0, 0.5, 2.0, 1.0], [1.0, 1.0, 1.0, 0.5]])
    steps: list[Layer] = [
        Dense("sums", kernel=kernel, bias=np.full(4, 0.25), kernel_type=KIND, bias_type=KIND),
        Reshape("image", shape=(2, 2, 1)),
        MaxPool2D("pool", size=(2, 1)),
    ]
    assert_exact(one, steps, x)
    positive: list[Layer] = [
        Dense("sums", kernel=kernel, bias=np.full(4, 0.25), kernel_type=KIND, bias_type=KIND),
        Quantize("leaky", type=FixedPoint(signed=True, integer=2, fraction=1), negative_slope=0.25),
    ]
    assert_exact(one, positive, x)


def test_constants_with_too_many_digits_are_refused_by_name() -> None:
    fine = FixedPoint(signed=True, integer=1, fraction=28)
    offset = np.array([1 + 2.0**-28])
    layer = Affine("norm", scale=np.ones(1), offset=offset, scale_type=KIND, offset_type=fine)
    with pytest.raises(DataError, match=r"layer norm \(Affine\): .* the 24 bits that alkaid"):
        trace(connect(1, KIND, [layer]))


def test_products_of_numbers_that_come_late() -> None:
    trace(with_score(encoder(), ScoreSettings(kind="rz")).network)


def test_sums_of_many_bits() -> None:
    """A batch normalization of numbers of 43 bits."""
    wide = FixedPoint(signed=True, integer=8, fraction=34)
    layers: list[Layer] = [
        Affine.exact("norm", np.full(2, 253 / 256)),
        Quantize("rounded", type=FixedPoint(signed=True, integer=8, fraction=2)),
    ]
    assert_exact(wide, layers, wide.quantize(np.random.default_rng(1).normal(0, 99, (500, 2))))


def test_the_installed_version_is_the_one_that_was_checked() -> None:
    assert version("alkaid") == workarounds.CHECKED_VERSION, (
        "alkaid has another version: run this file with it, take out what is not needed any more, "
        "look for new faults with tests/firmware/test_parity.py, and change CHECKED_VERSION"
    )


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workarounds, "version", lambda name: {"alkaid": "0.9.0"}[name])
    with pytest.raises(ToolError, match=r"alkaid 0\.9\.0: .* install alkaid==0\.8\.2") as refusal:
        trace(connect(1, KIND, [Quantize("same", type=KIND)]))
    assert "\n" not in str(refusal.value)


def _quantized_by_alkaid(value: Any, fixed_type: FixedPoint) -> Any:
    signed, integer = int(fixed_type.signed), fixed_type.integer
    overflow, rounding = fixed_type.overflow, fixed_type.rounding
    return value.quantize(signed, integer, fixed_type.fraction, overflow, rounding)


def _maximum_by_alkaid(values: Any) -> Any:
    from alkaid.trace import FVArray

    largest = np.frompyfunc(lambda one, other: one.max_of(other), 2, 1)
    result = largest.reduce(np.asarray(values), axis=-1)
    return FVArray(result, values.solver_options, hwconf=values.hwconf)


WORKAROUNDS: dict[str, tuple[Callable[..., Any], Callable[[], None]]] = {
    "without_msb_canonicalization": (nullcontext, partial(test_rounding_of_any_sum, 0)),
    "_quantize_one": (_quantized_by_alkaid, partial(test_rounding_of_any_sum, 0)),
    "matrix_product": (
        lambda _layer, values, matrix: values @ matrix,
        test_constants_among_what_is_summed,
    ),
    "maximum": (_maximum_by_alkaid, test_the_largest_of_numbers_that_know_each_other),
    "product": (
        lambda values, others: values * others,
        test_products_of_numbers_that_come_late,
    ),
    "exact_last_digits": (nullcontext, test_the_last_digits_of_scaled_sums),
    "order_by_delay": (lambda _outputs: None, test_sums_of_many_bits),
}
"""What alkaid does without each, and a test of the above that fails then."""


@pytest.mark.parametrize("name", WORKAROUNDS)
def test_each_workaround_is_still_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails, alkaid has mended the fault: take the workaround out."""
    by_alkaid, fails = WORKAROUNDS[name]
    monkeypatch.setattr(workarounds, name, by_alkaid)
    if name == "product":  # its delays are put right there as well, which those behind it are not
        monkeypatch.setattr(workarounds, "order_by_delay", lambda _outputs: None)
    with pytest.raises((AssertionError, KeyError, StopIteration)):
        fails()
