"""Soft drop of large-radius jets, with FastJet."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from l1distill.simulation.columns import FloatArray
from l1distill.tasks.jets.generator.flow import Jets

AROUND = 1.5
"""Radius that holds all constituents of a jet."""
BETA, SYMMETRY_CUT = 0, 0.1
"""Parameters beta and z_cut of soft drop, as CMS uses it."""


def soft_drop(momenta: Any, jets: Jets, radius: float) -> dict[str, FloatArray]:
    """Compute soft-drop mass [GeV], z_g, R_g, and the share of pT that is left.

    Args:
        momenta: four-momenta of the constituents of each jet, see :func:`.flow.four_momenta`.
        jets: their jets.
        radius: of the jets.

    Returns:
        (n,) of ``softdrop_mass``, ``softdrop_zg``, ``softdrop_rg`` and ``softdrop_pt_share``.

    Source:
        Larkoski, Marzani, Soyez, Thaler, arXiv:1402.2657, section 2.
    """
    import awkward as ak
    import fastjet

    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, AROUND)
    with without_advice():
        groomed = fastjet.ClusterSequence(momenta, definition).exclusive_jets_softdrop_grooming(
            njets=1, beta=BETA, symmetry_cut=SYMMETRY_CUT, R0=radius
        )

    def column(name: str) -> FloatArray:
        flat: FloatArray = ak.to_numpy(ak.flatten(groomed[name], axis=None)).astype(np.float64)
        return np.maximum(flat, 0.0)  # FastJet says -1 where nothing was groomed

    return {
        "softdrop_mass": column("msoftdrop"),
        "softdrop_zg": column("symmetrysoftdrop"),
        "softdrop_rg": column("deltaRsoftdrop"),
        "softdrop_pt_share": column("ptsoftdrop") / jets.pt,
    }


@contextmanager
def without_advice() -> Iterator[None]:
    """Silence FastJet's advice on exclusive jets, which it gives for kt and C/A too."""
    form = warnings.formatwarning
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="dcut and exclusive jets")
            yield
    finally:
        warnings.formatwarning = form  # FastJet replaces it
