"""The types of candidates, against QKeras's quantizers."""

import numpy as np
import pytest

from l1distill.search.candidate import Candidate
from l1distill.search.graph import relu, rounded
from l1distill.search.grids import Grid, Grids, grids_of
from tests.search.test_trainer import student

WIDTHS = [(bits, integer) for bits in range(2, 17) for integer in range(4)]


@pytest.fixture(scope="module")
def grids() -> Grids:
    return grids_of(
        [
            Candidate(
                student=student(
                    layers=[3],
                    weight_bits=bits,
                    weight_integer=integer,
                    activation_bits=bits,
                    activation_integer=integer,
                )
            )
            for bits, integer in WIDTHS
        ],
        ranged_inputs=False,
    )


def numbers() -> np.ndarray:
    """Numbers of all sizes, halves of steps and both zeros among them."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-600, 600, 2000) / 2.0 ** rng.integers(1, 16, 2000)
    return np.concatenate([rng.normal(0, 3, 3000), codes, [0.0, -0.0, 1e-30]]).astype(np.float32)


@pytest.mark.parametrize("kind", ["weights", "activations"])
def test_numbers_and_gradients_are_those_of_qkeras(kind: str, grids: Grids) -> None:
    import tensorflow as tf
    from qkeras import quantized_bits, quantized_relu

    x = tf.constant(numbers())
    for number, (bits, integer) in enumerate(WIDTHS):
        grid = grids.kernels[0] if kind == "weights" else grids.activations[0]
        own = Grid(*(part[number] for part in grid))
        theirs = (
            quantized_bits(bits, integer, alpha=1)
            if kind == "weights"
            else quantized_relu(bits, integer)
        )
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            given = (rounded if kind == "weights" else relu)(x[None], own, True)
            expected = theirs(x)
        np.testing.assert_array_equal(given[0], expected, err_msg=f"{bits} {integer}")
        slope, wanted = tape.gradient(given, x), tape.gradient(expected, x)
        np.testing.assert_array_equal(slope, wanted, err_msg=f"{bits} {integer}")


def test_limits_are_the_constraints_that_qkeras_hides(grids: Grids) -> None:
    from qkeras import quantized_bits
    from qkeras.qlayers import get_constraint

    for number, (bits, integer) in enumerate(WIDTHS):
        hidden = get_constraint(None, quantized_bits(bits, integer, alpha=1))
        assert grids.kernels[0].limit[number].item() == hidden.max_value
        assert grids.biases[1].limit[number].item() == hidden.max_value


def test_packed_types_come_back(grids: Grids) -> None:
    packed = grids.packed()
    assert packed.shape == (len(WIDTHS), 1 + 2 + 2 + 1 + 1, 4)
    again = Grids.unpacked(packed, layers=2)
    for name, part in again._asdict().items():
        for given, wanted in zip(np.ravel(part), np.ravel(getattr(grids, name)), strict=True):
            np.testing.assert_array_equal(given, wanted)
