"""Cross-checks of a finished data set against known physics: Z peak, W edge, flat phi."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.kinematics import massless_pair_mass
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, LEPTONS, MET, MUONS, PROCESSES, Events

PDG_Z_MASS = 91.19  # [GeV]
_WINDOW = (70.0, 110.0)  # [GeV], where the Z peak is looked for


def dilepton_masses(objects: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Compute the mass of the two hardest leptons of one flavor, taken as massless.

    Args:
        objects: (n, 19, 3) pT [GeV], eta, phi [rad].

    Returns:
        (m,) [GeV], for events with at least two electrons or two muons; muons are preferred.
    """
    masses = []
    muons, electrons = objects[:, MUONS], objects[:, ELECTRONS]
    two_muons, two_electrons = muons[:, 1, 0] > 0, electrons[:, 1, 0] > 0
    for pairs in (muons[two_muons], electrons[two_electrons & ~two_muons]):
        pairs = pairs[:, :2].astype(np.float64)
        masses.append(massless_pair_mass(pairs[:, 0], pairs[:, 1]))
    return np.concatenate(masses)


def peak_position(masses: NDArray[np.float64]) -> float:
    """Find the position of the Z peak: the median of a window that follows it.

    Three steps of a 10 GeV window around the last median remove the pull of the photon's tail.

    Returns:
        The position [GeV], NaN if there is no event.
    """
    inside = masses[(masses > _WINDOW[0]) & (masses < _WINDOW[1])]
    if not len(inside):
        return float("nan")
    position = float(np.median(inside))
    for _ in range(3):
        near = inside[np.abs(inside - position) < 5.0]
        position = float(np.median(near)) if len(near) else position
    return position


def leading_lepton_pt(objects: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Look up the pT of each event's hardest electron or muon, (n,) [GeV]."""
    hardest: NDArray[np.floating[Any]] = objects[:, LEPTONS, 0].max(axis=1)
    return hardest


def jacobian_drop(pt: NDArray[np.floating[Any]]) -> float:
    """Measure the Jacobian edge at half the W mass: leptons in 44-50 GeV over those in 34-40 GeV.

    A W at rest gives no lepton beyond 40.2 GeV; a spectrum without the edge falls far less.
    """
    below, above = ((low < pt) & (pt < low + 6.0) for low in (34.0, 44.0))
    return float(above.sum() / max(below.sum(), 1))


def phi_asymmetry(objects: NDArray[np.floating[Any]]) -> float:
    """Measure how far the phi of leptons and jets is from flat.

    Returns:
        Chi-squared per degree of freedom over 16 bins; about 1 for a flat distribution.
    """
    phi = objects[:, 1:, 2][objects[:, 1:, 0] > 0]
    counts, _ = np.histogram(phi, bins=16, range=(-np.pi, np.pi))
    expected = max(counts.mean(), 1e-9)
    return float(((counts - expected) ** 2 / expected).sum() / 15)


def check(background: Events) -> dict[str, float]:
    """Compute the cross-checks of a background sample.

    Returns:
        Name to value; names end in their unit where there is one. A value that the sample is
        too small for is left out.
    """
    objects = background.objects
    jets = objects[:, JETS]
    present = jets[..., 0] > 0
    values = {
        "phi_chi2_per_dof": phi_asymmetry(objects),
        "met_mean_gev": float(objects[:, MET, 0].mean()),
        "jets_per_event": float(present.sum(axis=1).mean()),
        "jet_abs_eta_max": float(np.abs(jets[..., 1]).max()),
    }
    if background.process is not None:
        for code, name in enumerate(PROCESSES):
            selected = background.process == code
            if selected.any():
                values[f"jets_per_event/{name}"] = float(present[selected].sum(axis=1).mean())
        w = leading_lepton_pt(objects[background.process == PROCESSES.index("w")])
        if len(w) >= 200:
            values["w_jacobian_drop"] = jacobian_drop(w)
        z = objects[background.process == PROCESSES.index("z")]
        masses = dilepton_masses(z)
        if len(masses) >= 20:
            values["z_peak_gev"] = peak_position(masses)
            pairs = z[(z[:, LEPTONS, 0] > 0).sum(axis=1) >= 2]
            busy = (pairs[:, JETS, 0] > 0).any(axis=1)
            values["met_of_z_pairs_without_jets_gev"] = float(pairs[~busy, MET, 0].mean())
            values["met_of_z_pairs_with_jets_gev"] = float(pairs[busy, MET, 0].mean())
    return {name: round(value, 4) for name, value in values.items() if np.isfinite(value)}
