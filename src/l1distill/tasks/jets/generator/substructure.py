"""The features of jets: groomed mass, subjets, energy correlations, displaced tracks.

FastJet finds subjets and grooms, many jets at a time; sums over constituents are NumPy's, on arrays
(jets, constituents) that are filled up with zeros.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import FloatArray
from l1distill.simulation.kinematics import pseudorapidity, wrap_phi
from l1distill.simulation.particles import MUON
from l1distill.tasks.jets.features import FEATURES, N_CONSTITUENTS, NAMES
from l1distill.tasks.jets.generator.flow import Flow, Jets, four_momenta
from l1distill.tasks.jets.generator.grooming import AROUND, soft_drop, without_advice

_DISPLACED = 3.0  # significance
_DISPLACED_PT = 1.0  # [GeV]
_LARGEST_D0 = 100.0  # significances are cut there


def describe_jets(flow: Flow, jets: Jets, radius: float) -> NDArray[np.float32]:
    """Compute all numbers of jets.

    Args:
        flow: of their collisions.
        jets: with at least three constituents each.
        radius: of the jets.

    Returns:
        (n, 102) in the order of :data:`.features.NAMES`.

    Source:
        Soft drop: Larkoski et al., arXiv:1402.2657 (beta 0, z 0.1). N-subjettiness: Thaler and
        Van Tilburg, arXiv:1011.2268, with the axes of exclusive kt jets. e2, C2: Larkoski, Salam,
        Thaler, arXiv:1305.0007; D2: Larkoski, Moult, Neill, arXiv:1409.6298.
    """
    if not len(jets.event):
        return np.zeros((0, len(NAMES)), np.float32)
    owner = np.repeat(np.arange(len(jets.event)), jets.counts)
    # hardest first within each jet
    order = np.lexsort((-flow.pt[jets.rows], owner))
    inside = flow.take(jets.rows[order])
    column = np.arange(len(owner)) - (np.cumsum(jets.counts) - jets.counts)[owner]

    def padded(values: FloatArray) -> FloatArray:
        table = np.zeros((len(jets.event), int(jets.counts.max())))
        table[owner, column] = values
        return table

    pt, there = padded(inside.pt), padded(np.ones(len(owner))) > 0
    z = pt * (jets.scale / jets.pt)[:, None]
    eta = padded(inside.eta - jets.eta[owner])
    phi = padded(wrap_phi(inside.phi - jets.phi[owner]))
    code = padded(inside.code.astype(np.float64))
    # positive where a track passes the beam on the side of the jet's axis
    side = np.sign(inside.d0 * np.sin(jets.phi[owner] - inside.phi))
    d0 = padded(side * np.minimum(np.abs(inside.d0), _LARGEST_D0))
    values: dict[str, FloatArray] = {
        "pt": jets.pt,
        "eta": jets.eta,
        "phi": jets.phi,
        "mass": jets.mass,
    }
    calibrated = replace(inside, pt=inside.pt * jets.scale[owner])
    momenta = four_momenta(calibrated, jets.counts)
    with without_advice():
        values |= soft_drop(momenta, jets, radius)
        axes, subjets = _axes(momenta, jets)
    values |= subjets
    for number, (axis_eta, axis_phi) in axes.items():
        distance = np.hypot(eta[..., None] - axis_eta[:, None], phi[..., None] - axis_phi[:, None])
        if number == 2:
            nearest = distance.argmin(axis=2)
        values[f"tau{number}"] = (z * distance.min(axis=2)).sum(axis=1) / radius
    values["tau21"] = values["tau2"] / np.maximum(values["tau1"], 1e-6)
    values["tau32"] = values["tau3"] / np.maximum(values["tau2"], 1e-6)
    values |= _correlations(z, eta, phi)
    distance = np.hypot(eta, phi) / radius
    track = code > 0
    values |= {
        "width": (z * distance**2).sum(axis=1),
        "lha": (z * np.sqrt(distance)).sum(axis=1),
        "ptd": np.sqrt((z**2).sum(axis=1)),
        "zlogz": (z * np.log(np.where(there, z, 1.0))).sum(axis=1),
        "constituents": jets.counts,
        "tracks": track.sum(axis=1),
        "charged_share": (z * track).sum(axis=1),
        "leading_z": z[:, 0],
    }
    usable = track & (pt > _DISPLACED_PT)
    ranked = -np.sort(-np.where(usable, np.maximum(d0, 0.0), 0.0), axis=1)
    ranked = np.pad(ranked, ((0, 0), (0, 4)))
    values |= {f"d0_significance{1 + at}": ranked[:, at] for at in range(4)}
    displaced = usable & (d0 > _DISPLACED)
    muon_pt = pt * (code == MUON)
    hardest = (np.arange(len(z)), muon_pt.argmax(axis=1))
    values |= {
        "displaced_tracks": displaced.sum(axis=1),
        "displaced_tracks1": (displaced & (nearest == 0)).sum(axis=1),
        "displaced_tracks2": (displaced & (nearest == 1)).sum(axis=1),
        "displaced_share": (z * displaced).sum(axis=1),
        "muon_ptrel": _relative_pt(muon_pt[hardest], eta[hardest], phi[hardest], jets),
    }
    low_level = np.zeros((len(z), N_CONSTITUENTS, 4))
    used = min(N_CONSTITUENTS, z.shape[1])
    for at, numbers in enumerate((z, eta, phi, d0)):
        low_level[:, :used, at] = numbers[:, :used]
    features = np.stack([values[name] for name in FEATURES], axis=1)
    return np.hstack([features, low_level.reshape(len(z), -1)]).astype(np.float32)


def _axes(
    momenta: Any, jets: Jets
) -> tuple[dict[int, tuple[FloatArray, FloatArray]], dict[str, FloatArray]]:
    """Return axes of one, two and three exclusive kt jets, and what the two subjets are like."""
    import awkward as ak
    import fastjet

    sequence = fastjet.ClusterSequence(momenta, fastjet.JetDefinition(fastjet.kt_algorithm, AROUND))
    axes, subjets = {}, {}
    for number in (1, 2, 3):
        found = sequence.exclusive_jets(n_jets=number)
        px, py, pz, energy = (
            ak.to_numpy(ak.flatten(found[name], axis=None)).reshape(-1, number)
            for name in ("px", "py", "pz", "E")
        )
        pt = np.hypot(px, py)
        by_pt = np.argsort(-pt, axis=1)
        px, py, pz, energy, pt = (
            np.take_along_axis(one, by_pt, axis=1) for one in (px, py, pz, energy, pt)
        )
        eta = pseudorapidity(pt, pz) - jets.eta[:, None]
        phi = wrap_phi(np.arctan2(py, px) - jets.phi[:, None])
        axes[number] = (eta, phi)
        if number == 2:
            mass = np.sqrt(np.maximum(energy**2 - pt**2 - pz**2, 0.0))
            subjets = {
                "subjet1_z": pt[:, 0] / jets.pt,
                "subjet2_z": pt[:, 1] / jets.pt,
                "subjet_dr": np.hypot(eta[:, 0] - eta[:, 1], wrap_phi(phi[:, 0] - phi[:, 1])),
                "subjet1_mass": mass[:, 0],
                "subjet2_mass": mass[:, 1],
            }
    return axes, subjets


def _correlations(z: FloatArray, eta: FloatArray, phi: FloatArray) -> dict[str, FloatArray]:
    """Compute energy correlations at beta 1 as products of matrices."""
    delta_eta, delta_phi = (one[:, :, None] - one[:, None, :] for one in (eta, phi))
    weighted = np.hypot(delta_eta, wrap_phi(delta_phi)) * z[:, None, :]
    e2 = 0.5 * np.einsum("ni,nij->n", z, weighted)
    # each triplet stands six times in the trace of the cube
    e3 = np.einsum("nij,nji->n", weighted @ weighted, weighted) / 6.0
    least = np.maximum(e2, 1e-6)
    return {"e2": e2, "c2": e3 / least**2, "d2": e3 / least**3}


def _relative_pt(pt: FloatArray, eta: FloatArray, phi: FloatArray, jets: Jets) -> FloatArray:
    """Compute the momentum of muons across the axis of their jets [GeV]; angles from the axis."""
    muon = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta + jets.eta)], axis=1)
    axis = np.stack([np.ones_like(pt), np.zeros_like(pt), np.sinh(jets.eta)], axis=1)
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    across: FloatArray = np.linalg.norm(np.cross(muon, axis), axis=1)
    return across
