"""Particles as rows of numbers: what a student that weights one at a time knows of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.pileup.events import IDS, RecordedCandidates

D0_MM, DZ_MM = 0.1, 0.2
"""Impact parameters that the inverse hyperbolic sine turns from linear to logarithmic [mm]."""
NUMBERS = (
    "eta", "phi", "log_pt", "log_energy", "d0", "dz", "puppi", "charge",
    *(name.replace(" ", "_") for name in IDS),
)  # fmt: skip
"""Names of the numbers of a particle, see :func:`particle_numbers`."""


def particle_numbers(particles: RecordedCandidates) -> NDArray[np.float16]:
    """Return the numbers of particles, (n, 16), in the precision of the files.

    eta, phi [rad], logarithms of pT and energy [GeV], asinh(d0 / 0.1 mm), asinh(dz / 0.2 mm), PUPPI
    weight, charge, and a 1 in the place of one of eight ids. None is standardized: the ids would
    become dozens of deviations for rare particles.

    Source:
        Bal et al. 2024, section 3.
    """
    numbers = np.zeros((len(particles.event), len(NUMBERS)), np.float16)
    columns = (
        particles.eta,
        particles.phi,
        np.log(particles.pt),
        np.log(particles.energy),
        np.arcsinh(particles.d0 / D0_MM),
        np.arcsinh(particles.dz / DZ_MM),
        particles.puppi,
        particles.charge,
    )
    for place, column in enumerate(columns):
        numbers[:, place] = column
    numbers[np.arange(len(numbers)), len(columns) + particles.id] = 1
    return numbers


def pt_of(numbers: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the pT [GeV] of particles given as :func:`particle_numbers`, (n,)."""
    logarithms = numbers[:, NUMBERS.index("log_pt")].astype(np.float32)
    pt: NDArray[np.float32] = np.exp(logarithms)
    return pt
