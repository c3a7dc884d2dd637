"""The lepton filter, on made-up leptons."""

from l1distill.tasks.anomaly.generator.lepton_filter import passes_filter
from l1distill.tasks.anomaly.generator.settings import LeptonFilterSettings
from tests.simulation.objects import leptons


def test_lepton_filter_is_sharp_and_knows_its_acceptance() -> None:
    rows = leptons(
        (0, 11, 23.01, 2.4, 0.0), (1, 11, 22.99, 0.0, 0.0), (2, 13, 23.01, 2.05, 0.0),
        (3, 13, 50.0, 2.15, 0.0), (4, 13, 22.99, 0.0, 0.0), (5, 11, 23.01, -2.4, 0.0),
    )  # fmt: skip
    passes = passes_filter(rows, LeptonFilterSettings())
    assert passes.tolist() == [True, False, True, False, False, True]


def test_thresholds_hold_for_the_stored_numbers() -> None:
    """A pT that float32 rounds to the threshold is stored as 23, which is not above it."""
    assert passes_filter(
        leptons((0, 13, 23.0000001, 0.0, 0.0)), LeptonFilterSettings()
    ).tolist() == [False]
