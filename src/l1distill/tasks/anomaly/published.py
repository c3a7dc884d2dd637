"""Published figures that ours stand beside."""

from collections.abc import Mapping
from typing import NamedTuple

PAPER = "Govorkova et al., arXiv:2108.03986, table II, CNN AE QAT 4 bits"
AUC = {"lq_btau": 0.94, "a_4l": 0.96, "hch_taunu": 0.96, "h0_tautau": 0.88}
WHY_OURS_DIFFER = (
    "Our events come from PYTHIA 8 and a fast detector simulation instead of Delphes. Ablations "
    "(in the data card) trace part of the difference to pileup and to the isolation of leptons, "
    "none to multi-parton interactions, and little to the number of training events; the AUC is "
    "to be read against the teacher's rather than against the paper's."
)
"""Said wherever the two stand side by side; the data card lists what the simulation lacks."""


class PublishedModel(NamedTuple):
    """A model that the paper chose, with its row of table II.

    Attributes:
        architecture: of the teacher.
        method: ``ptq`` or ``qat``.
        bits: of every number.
        score: ``mse`` or ``kl``.
        tpr: signal to TPR at a FPR of 1e-5 [%].
        auc: signal to AUC [%].
    """

    architecture: str
    method: str
    bits: int
    score: str
    tpr: Mapping[str, float]
    auc: Mapping[str, float]


def _row(*values: float) -> dict[str, float]:
    return dict(zip(("lq_btau", "a_4l", "hch_taunu", "h0_tautau"), values, strict=True))


TABLE_II = (
    PublishedModel("cnn_ae", "qat", 4, "mse", _row(0.09, 5.96, 0.10, 0.13), _row(94, 96, 96, 88)),
    PublishedModel("cnn_vae", "ptq", 8, "kl", _row(0.05, 2.56, 0.06, 0.12), _row(84, 84, 85, 71)),
    PublishedModel("dnn_ae", "qat", 8, "mse", _row(0.08, 5.48, 0.09, 0.11), _row(95, 96, 96, 88)),
    PublishedModel("dnn_vae", "ptq", 8, "kl", _row(0.08, 3.41, 0.09, 0.08), _row(92, 94, 94, 81)),
)
"""Govorkova et al., table II."""
