"""Cross-checks of jets against known physics: the mass peak, b content, single features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.jets.dataset import B_HADRONS, LABEL
from l1distill.tasks.jets.features import FEATURES, Layout
from l1distill.tasks.jets.jet_files import JetTable

HIGGS_MASS = 125.0
"""Mass of the Higgs boson in PYTHIA [GeV]."""
_WINDOW = (60.0, 200.0)  # [GeV], where the peak is looked for
_STEP, _SMOOTHING = 0.25, 4.0  # [GeV]
_SAFELY_ABOVE = 1.2  # pT over the threshold from which on the threshold does not bias responses
_SHOWN = ("softdrop_mass", "d2", "tau21", "displaced_tracks", "pt", "phi")
EXPECTATIONS = {
    "softdrop_peak_particles_gev": "125, the mass of the Higgs boson: all particles with "
    "neutrinos; multi-parton interactions add 3 to 4",
    "softdrop_peak_visible_gev": "1 to 2 less than that: neutrinos of b decays",
    "softdrop_peak_gev": "1 to 2 less again: pT of jets is calibrated, the mass after soft drop "
    "not by itself",
    "jet_response_qcd": "1: pT of QCD jets over that of their particles without neutrinos",
    "b_hadrons_share_h_bb": "share of signal jets with two b hadrons: nearly all",
    "b_hadrons_share_qcd": "share of QCD jets with two b hadrons: some percent",
    "auc/phi": "0.5: a decoy",
}
"""What a physicist compares the checks of the data card with."""


def peak_position(masses: NDArray[np.floating[Any]]) -> float:
    """Find a peak [GeV]: the largest density, smoothed by 4 GeV; NaN without a jet in reach.

    Args:
        masses: (n,) [GeV]; looked at between 60 and 200 GeV, beyond the peak of QCD.
    """
    edges = np.arange(_WINDOW[0], _WINDOW[1] + _STEP, _STEP)
    counts, _ = np.histogram(masses, bins=edges)
    if not counts.any():
        return float("nan")
    offsets = np.arange(-4 * _SMOOTHING, 4 * _SMOOTHING + _STEP, _STEP)
    kernel = np.exp(-0.5 * (offsets / _SMOOTHING) ** 2)
    density = np.convolve(counts, kernel, mode="same")
    return float(edges[density.argmax()] + 0.5 * _STEP)


def single_auc(values: NDArray[np.floating[Any]], label: NDArray[np.int8]) -> float:
    """Return the AUC of one number, of the better of its two directions."""
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(label, values))
    return max(auc, 1.0 - auc)


def check(table: JetTable) -> dict[str, float]:
    """Compute the cross-checks of a data set with both classes; names end in their unit."""
    label, hadrons = table.columns[LABEL], table.columns[B_HADRONS]
    column = {name: table.jets[:, at] for at, name in enumerate(FEATURES)}
    return _finite(
        {
            "softdrop_peak_gev": peak_position(column["softdrop_mass"][label == 1]),
            "b_hadrons_share_h_bb": float((hadrons[label == 1] >= 2).mean()),
            "b_hadrons_share_qcd": float((hadrons[label == 0] >= 2).mean()),
            **{f"auc/{name}": single_auc(column[name], label) for name in _SHOWN},
        }
    )


def check_scale(compared: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """Compare jets with the jets of their particles: peaks of the mass, and the response of QCD.

    Args:
        compared: sample to (n, 5), see :func:`.generator.particle_jets.compare`.
    """
    _, _, _, visible, whole = compared["h_bb"].T
    pt, particle_pt, *_ = compared["qcd"].T
    above = particle_pt > _SAFELY_ABOVE * pt.min() if len(pt) else particle_pt > 0
    return _finite(
        {
            "softdrop_peak_visible_gev": peak_position(visible),
            "softdrop_peak_particles_gev": peak_position(whole),
            "jet_response_qcd": float(np.median((pt / particle_pt)[above]))
            if above.any()
            else float("nan"),
        }
    )


def check_features(table: JetTable, layout: Layout) -> dict[str, float]:
    """Compute the AUC of each feature of a user's jets, and the share of signal."""
    label = table.columns[LABEL]
    return _finite(
        {
            "signal_share": float(label.mean()),
            **{
                f"auc/{name}": single_auc(table.jets[:, at], label)
                for at, name in enumerate(layout.features)
            },
        }
    )


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items() if np.isfinite(value)}
