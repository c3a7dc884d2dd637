"""Jet energy scale: what the four-momenta of reconstructed jets are multiplied by.

The detector loses what is below the thresholds of the calorimeters and bends soft tracks away, so
that jets are measured low. As experiments do (CMS, arXiv:1607.03663, section 5), the scale is the
inverse of the response, pT of a jet over that of the jet of its stable particles without neutrinos,
in simulated QCD: fitted in bins of abs(eta) as a parabola in log pT of the measured jet.
``python benchmarks/jet_energy_scale.py`` derives the numbers anew. What neutrinos carry away is
not part of it: jets of b quarks stay low. Nor is the mass after soft drop calibrated by itself: it
loses more than pT in light QCD jets, and less in those of a heavy particle.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from l1distill.simulation.columns import FloatArray
from l1distill.tasks.jets.generator.flow import Jets

ETA_EDGES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Bins of abs(eta); the last one holds all beyond."""
PT_REFERENCE = 300.0
"""pT at which the logarithm is zero [GeV]."""
PT_RANGE = (150.0, 1500.0)
"""Measured pT that the parabolas were fitted to [GeV]; beyond, the scale is that of the end."""
COEFFICIENTS = (
    (1.0465, -0.0375, 0.0110),
    (1.0447, -0.0337, 0.0089),
    (1.0376, -0.0303, 0.0095),
    (1.0388, -0.0280, 0.0134),
)
"""Of each bin of abs(eta): constant, slope and curvature in log(pT / 300 GeV). From 13,964 jets of
QCD with multi-parton interactions; the response is 1.00 +- 0.01 in every bin afterwards. The
benchmark, whose jets are alone among those above 120 GeV, here 100, gives the same to 0.002."""
LARGEST = 1.1
"""No scale is larger."""


def calibrate(jets: Jets) -> Jets:
    """Multiply pT and mass of jets by their energy scale."""
    scale = energy_scale(jets.pt, jets.eta)
    return replace(jets, pt=jets.pt * scale, mass=jets.mass * scale, scale=jets.scale * scale)


def energy_scale(
    pt: FloatArray, eta: FloatArray, coefficients: Sequence[Sequence[float]] = COEFFICIENTS
) -> FloatArray:
    """Compute the energy scale of jets.

    Args:
        pt: (n,) measured [GeV].
        eta: (n,).
        coefficients: of each bin of abs(eta).
    """
    place = np.clip(np.digitize(np.abs(eta), ETA_EDGES) - 1, 0, len(coefficients) - 1)
    constant, slope, curvature = np.asarray(coefficients)[place].T
    log = np.log(np.clip(pt, *PT_RANGE) / PT_REFERENCE)
    scale: FloatArray = np.minimum(constant + slope * log + curvature * log**2, LARGEST)
    return scale
