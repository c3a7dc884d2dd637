"""What anomaly scores are judged beside: trivial scores, reference triggers, the input rate."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.evaluation.context import Decisions, Look, Observable, ScoreContext
from l1distill.reporting.plots.style import BACKGROUND
from l1distill.tasks.anomaly.events import MET
from l1distill.tasks.anomaly.plots.style import color, label
from l1distill.tasks.anomaly.settings import AnomalyEvaluationSettings
from l1distill.tasks.anomaly.trivial_scores import ht, leading_lepton_pt, trivial_scores

LABELS = {
    "lepton_pt": "pT of the leading lepton [GeV]",
    "ht": "HT of the jets [GeV]",
    "met": "missing transverse energy [GeV]",
}
"""What the reference triggers ask for, and efficiencies are shown against."""


def make_context(settings: AnomalyEvaluationSettings, dataset: Dataset) -> ScoreContext:
    """Compute trivial scores and the decisions of the reference triggers of all samples.

    Args:
        settings: thresholds and input rate.
        dataset: its evaluation items are judged; combinations of objects are counted on its
            training split.
    """
    samples = {
        name: sample.items.values[dataset.evaluation_rows(name)]
        for name, sample in dataset.samples().items()
    }
    quantities = {
        "lepton_pt": {name: leading_lepton_pt(events) for name, events in samples.items()},
        "ht": {name: ht(events) for name, events in samples.items()},
        "met": {name: events[:, MET, 0].astype(np.float64) for name, events in samples.items()},
    }
    thresholds = {
        "lepton_pt": settings.triggers.lepton_pt_min_gev,
        "ht": settings.triggers.ht_min_gev,
        "met": settings.triggers.met_min_gev,
    }
    background = dataset.training_sample
    return ScoreContext(
        background=background,
        input_rate_khz=settings.input_rate_khz,
        trivial=trivial_scores(samples, dataset.training.part(Split.TRAIN)),
        triggers={
            name: _decide(quantities[name], threshold)
            for name, threshold in thresholds.items()
            if threshold is not None
        },
        observables={
            name: Observable(label=LABELS[name], values=values)
            for name, values in quantities.items()
        },
        looks={
            name: Look(label=label(name), color=color(name))
            if name != background
            else Look(label=background, color=BACKGROUND)
            for name in samples
        },
    )


def _decide(quantity: Mapping[str, NDArray[np.floating[Any]]], threshold: float) -> Decisions:
    return {name: values >= threshold for name, values in quantity.items()}
