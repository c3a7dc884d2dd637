"""Kinematics against the vector package."""

import numpy as np
import pytest
import vector

from l1distill.simulation.kinematics import (
    boost,
    delta_r_squared,
    massless_pair_mass,
    pseudorapidity,
    random_rotations,
    transverse_momentum,
    wrap_phi,
)

NUMBER = 500


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def massless(rng: np.random.Generator) -> np.ndarray:
    """(n, 3) pT, eta, phi."""
    pt, phi = rng.exponential(30.0, NUMBER), rng.uniform(-np.pi, np.pi, NUMBER)
    return np.stack([pt, rng.uniform(-4, 4, NUMBER), phi], axis=1)


def as_vectors(rows: np.ndarray) -> vector.MomentumNumpy4D:
    pt, eta, phi = rows.T
    return vector.array({"pt": pt, "eta": eta, "phi": phi, "mass": np.zeros(len(rows))})


def test_delta_r_is_that_of_vector_to_the_last_bit(rng: np.random.Generator) -> None:
    one, two = massless(rng), massless(rng)
    ours = delta_r_squared(one[:, 1], one[:, 2], two[:, 1], two[:, 2])
    np.testing.assert_array_equal(ours, as_vectors(one).deltaR2(as_vectors(two)))


def test_angles_are_brought_inside() -> None:
    wrapped = wrap_phi(np.array([3.0, 3.2, -3.2, 2 * np.pi + 0.1, -np.pi]))
    np.testing.assert_allclose(wrapped, [3.0, 3.2 - 2 * np.pi, 2 * np.pi - 3.2, 0.1, -np.pi])


def test_masses_of_pairs(rng: np.random.Generator) -> None:
    one, two = massless(rng), massless(rng)
    expected = (as_vectors(one) + as_vectors(two)).mass
    np.testing.assert_allclose(massless_pair_mass(one, two), expected, rtol=1e-6, atol=1e-4)


def test_components(rng: np.random.Generator) -> None:
    rows = massless(rng)
    expected = as_vectors(rows)
    px, py = transverse_momentum(rows[:, 0], rows[:, 2])
    np.testing.assert_allclose(px, expected.px)
    np.testing.assert_allclose(py, expected.py)
    np.testing.assert_allclose(pseudorapidity(rows[:, 0], expected.pz), rows[:, 1])


def test_boosts(rng: np.random.Generator) -> None:
    momentum, mass = rng.normal(0.0, 1.0, (NUMBER, 3)), rng.exponential(1.0, NUMBER)
    energy = np.sqrt((momentum**2).sum(axis=1) + mass**2)
    frame = rng.normal(0.0, 20.0, (NUMBER, 3))  # momenta of hadrons of 5.28 GeV
    hadron = vector.array(
        dict(zip(("px", "py", "pz"), frame.T, strict=True)) | {"mass": 5.28 + 0 * mass}
    )
    at_rest = vector.array(
        dict(zip(("px", "py", "pz"), momentum.T, strict=True)) | {"energy": energy}
    )
    expected = at_rest.boost_p4(hadron)
    boosted, boosted_energy = boost(momentum, energy, frame / 5.28)
    for column, name in enumerate(("px", "py", "pz")):
        np.testing.assert_allclose(boosted[:, column], expected[name], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(boosted_energy, expected.energy)


def test_rotations_are_rotations_and_point_anywhere(rng: np.random.Generator) -> None:
    rotations = random_rotations(20_000, rng)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape),
        atol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
    axes = rotations[:, :, 2]
    # uniform on the sphere: each component has mean 0 and variance 1/3
    np.testing.assert_allclose(axes.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose((axes**2).mean(axis=0), 1 / 3, atol=0.01)
