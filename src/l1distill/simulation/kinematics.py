"""Relativistic kinematics on flat arrays: angles, Delta R, momenta, masses, boosts, rotations.

``vector`` gives the same numbers up to rounding, which the tests hold. Its Delta R agrees to the
last bit; masses and boosts do not, and events are to stay the same to the byte.
"""

from typing import Any, TypeVar

import numpy as np

from l1distill.simulation.columns import FloatArray

Angles = TypeVar("Angles")  # numpy or awkward arrays

_PT_MIN = 1e-9  # [GeV], keeps the pseudorapidity of a particle along the beam finite


def wrap_phi(phi: Any) -> Any:
    """Bring angles [rad] into [-pi, pi)."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def delta_r_squared(eta_1: Any, phi_1: Any, eta_2: Any, phi_2: Any) -> Any:
    """Compute the squared distance Delta R^2 = Delta eta^2 + Delta phi^2.

    Args:
        eta_1: Pseudorapidities, a NumPy or awkward array.
        phi_1: Azimuths [rad].
        eta_2: Pseudorapidities of the other objects, of a shape that broadcasts.
        phi_2: Their azimuths [rad].
    """
    return (eta_1 - eta_2) ** 2 + wrap_phi(phi_1 - phi_2) ** 2


def transverse_momentum(pt: FloatArray, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute px and py [GeV] from pT [GeV] and phi [rad]."""
    return pt * np.cos(phi), pt * np.sin(phi)


def pseudorapidity(pt: FloatArray, pz: FloatArray) -> FloatArray:
    """Compute eta from transverse and longitudinal momenta [GeV]."""
    eta: FloatArray = np.arcsinh(pz / np.maximum(pt, _PT_MIN))
    return eta


def massless_pair_mass(first: FloatArray, second: FloatArray) -> FloatArray:
    """Compute the invariant mass of pairs of objects taken as massless.

    m^2 = 2 pT1 pT2 (cosh(Delta eta) - cos(Delta phi)).

    Args:
        first: (n, 3) pT [GeV], eta, phi [rad].
        second: The same of the other object of each pair.

    Returns:
        (n,) [GeV].
    """
    delta_eta, delta_phi = (first[:, column] - second[:, column] for column in (1, 2))
    square = 2 * first[:, 0] * second[:, 0] * (np.cosh(delta_eta) - np.cos(delta_phi))
    mass: FloatArray = np.sqrt(np.maximum(square, 0.0))
    return mass


def boost(
    momentum: FloatArray, energy: FloatArray, gamma_beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Boost four-momenta from a rest frame into the frame in which it moves.

    Args:
        momentum: (n, 3) px, py, pz in the rest frame [GeV].
        energy: (n,) energy in the rest frame [GeV].
        gamma_beta: (n, 3) momentum of the rest frame divided by its mass.

    Returns:
        Momentum (n, 3) and energy (n,) [GeV].
    """
    gamma = np.sqrt(1 + (gamma_beta**2).sum(axis=1))
    along = (momentum * gamma_beta).sum(axis=1)
    boosted = momentum + gamma_beta * (energy + along / (1 + gamma))[:, None]
    return boosted, gamma * energy + along


def random_rotations(number: int, rng: np.random.Generator) -> FloatArray:
    """Draw uniform rotation matrices, (number, 3, 3), from random unit quaternions."""
    w, x, y, z = (q := rng.standard_normal((4, number))) / np.sqrt((q**2).sum(axis=0))
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1),
        ],
        axis=1,
    )
