"""Published figures that ours stand beside."""

PAPER = "Govorkova et al., arXiv:2108.03986, table II, CNN AE QAT 4 bits"
AUC = {"lq_btau": 0.94, "a_4l": 0.96, "hch_taunu": 0.96, "h0_tautau": 0.88}
WHY_OURS_DIFFER = (
    "Our events come from PYTHIA 8 and a fast detector simulation instead of Delphes, and the "
    "training sample is a thousandth of the published one or less; the AUC is to be read against "
    "the teacher's, not against the paper's."
)
"""Said wherever the two stand side by side; the data card lists what the simulation lacks."""
