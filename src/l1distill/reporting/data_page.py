"""The page of a data set: its card and its pictures, to be looked at before anything is trained."""

import json
from collections.abc import Sequence
from pathlib import Path

from l1distill.reporting.template import embed, fill
from l1distill.tasks.anomaly import published
from l1distill.tasks.anomaly.dataset import Dataset

TEMPLATE = "data_page.html.j2"
EXPECTATIONS = {
    "z_peak_gev": "91.19, the mass of the Z (PDG)",
    "w_jacobian_drop": "leptons at 44-50 over 34-40 GeV: far below 1, the edge at half the W mass",
    "phi_chi2_per_dof": "about 1, flat in phi",
    "met_of_z_pairs_without_jets_gev": "resolution alone: no neutrinos",
    "met_of_z_pairs_with_jets_gev": "larger: the resolution grows with activity",
}
"""What a physicist holds the cross-checks against."""


def render(dataset: Dataset, pictures: Sequence[tuple[str, Path]]) -> str:
    """Returns the page.

    Args:
        dataset: what to show.
        pictures: caption and PNG each.
    """
    card = dataset.card
    known = bool(card.ablations) and set(card.ablations[0].auc) <= set(published.AUC)
    return fill(
        TEMPLATE,
        card=card,
        md5=dataset.md5,
        pictures=embed(pictures),
        expectations=EXPECTATIONS,
        published=published.AUC if known else {},
        paper=published.PAPER,
        settings=json.dumps(card.settings, indent=2),
    )
