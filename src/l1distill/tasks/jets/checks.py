"""Cross-checks of jets against known physics: the mass peak, b content, single features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.jets.dataset import B_HADRONS, LABEL
from l1distill.tasks.jets.features import FEATURES
from l1distill.tasks.jets.jet_files import JetTable

HIGGS_MASS = 125.0
"""Mass of the Higgs boson in PYTHIA [GeV]."""
_WINDOW = (90.0, 150.0)  # [GeV], where the peak is looked for
_HALF_WIDTH = 12.0
_SHOWN = ("softdrop_mass", "d2", "tau21", "displaced_tracks", "pt", "phi")
EXPECTATIONS = {
    "softdrop_peak_gev": "125 less what neutrinos and thresholds take",
    "b_hadrons_share_h_bb": "share of signal jets with two b hadrons: nearly all",
    "b_hadrons_share_qcd": "share of QCD jets with two b hadrons: some percent",
    "auc/phi": "0.5: a decoy",
}
"""What a physicist compares the checks of the data card with."""


def peak_position(masses: NDArray[np.floating[Any]]) -> float:
    """Find a peak [GeV]: the median of a window that follows it; NaN without a jet in reach."""
    inside = masses[(masses > _WINDOW[0]) & (masses < _WINDOW[1])]
    if not len(inside):
        return float("nan")
    position = float(np.median(inside))
    for _ in range(10):
        near = inside[np.abs(inside - position) < _HALF_WIDTH]
        position = float(np.median(near)) if len(near) else position
    return position


def single_auc(values: NDArray[np.floating[Any]], label: NDArray[np.int8]) -> float:
    """Return the AUC of one number, of the better of its two directions."""
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(label, values))
    return max(auc, 1.0 - auc)


def check(table: JetTable) -> dict[str, float]:
    """Compute the cross-checks of a data set with both classes; names end in their unit."""
    label, hadrons = table.columns[LABEL], table.columns[B_HADRONS]
    column = {name: table.jets[:, at] for at, name in enumerate(FEATURES)}
    values = {
        "softdrop_peak_gev": peak_position(column["softdrop_mass"][label == 1]),
        "b_hadrons_share_h_bb": float((hadrons[label == 1] >= 2).mean()),
        "b_hadrons_share_qcd": float((hadrons[label == 0] >= 2).mean()),
        **{f"auc/{name}": single_auc(column[name], label) for name in _SHOWN},
    }
    return {name: round(value, 4) for name, value in values.items() if np.isfinite(value)}
