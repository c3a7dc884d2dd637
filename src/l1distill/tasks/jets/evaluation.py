"""Evaluation of jets: AUC, and the background rejection at fixed signal efficiencies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.evaluation.context import Look, ScoreContext
from l1distill.evaluation.evaluation import Evaluation
from l1distill.evaluation.proportions import wilson
from l1distill.evaluation.roc import separation, to_curve
from l1distill.reporting.plots.style import BACKGROUND
from l1distill.tasks.base import Answers
from l1distill.tasks.jets.dataset import LABEL, SAMPLE
from l1distill.tasks.jets.features import FEATURES
from l1distill.tasks.jets.settings import JetsEvaluationSettings

SIGNAL, QCD, ROC = "h_bb", "qcd", "roc"
EFFICIENCIES = {"50": 0.5, "80": 0.8}
_TRIVIAL = ("softdrop_mass", "d2", "displaced_tracks")


def evaluate(answers: Answers, dataset: Dataset) -> Evaluation:
    """Return ``auc``, ``auc_error``, ``rejection_50`` and ``rejection_80``, and the ROC curve.

    A rejection is one over the share of QCD jets that pass, with ``_low`` and ``_high`` from the
    share's Wilson interval of 68.3%; where none passes, the value is that of half a jet.
    """
    label = dataset.training.columns(Split.TEST)[LABEL]
    scores = answers[SAMPLE].reshape(len(answers[SAMPLE]))
    result = separation(scores[label == 0], scores[label == 1])
    metrics = {"auc": result.auc, "auc_error": result.auc_error}
    for name, efficiency in EFFICIENCIES.items():
        values = rejection(scores[label == 0], scores[label == 1], efficiency)
        for end, value in zip(("", "_low", "_high"), values, strict=True):
            metrics[f"rejection_{name}{end}"] = value
    return Evaluation(
        metrics=metrics,
        curves={ROC: {SIGNAL: to_curve(result.roc)}},
        primary="auc",
        headline=("auc", "rejection_50", "rejection_80"),
    )


def rejection(
    background: NDArray[np.floating[Any]], signal: NDArray[np.floating[Any]], efficiency: float
) -> tuple[float, float, float]:
    """Return the background rejection at a signal efficiency, and the ends of its interval."""
    kept = int(np.ceil(efficiency * len(signal)))
    threshold = np.sort(signal)[len(signal) - kept]
    passed = int((background >= threshold).sum())
    low, high = wilson(passed, len(background))
    value = len(background) / max(passed, 0.5)
    least = min(float(low), 1.0 / value)
    return value, 1.0 / float(high), 1.0 / max(least, 1e-9 if passed else 0.5 / len(background))


def make_context(settings: JetsEvaluationSettings, dataset: Dataset) -> ScoreContext:
    """Return single features as trivial scores, and the rate that QCD jets come at."""
    label = dataset.training.columns(Split.TEST)[LABEL]
    jets = dataset.training.part(Split.TEST)
    chosen = {QCD: label == 0, SIGNAL: label == 1}
    trivial = {}
    for name in _TRIVIAL:
        values = np.asarray(jets[:, list(FEATURES).index(name)], np.float64)
        sign = -1.0 if name == "d2" else 1.0
        trivial[name] = {group: sign * values[of] for group, of in chosen.items()}
    return ScoreContext(
        background=QCD,
        input_rate_khz=settings.input_rate_khz,
        trivial=trivial,
        looks={
            QCD: Look(label="QCD", color=BACKGROUND),
            SIGNAL: Look(label="H → bb", color="#bd1f01"),
        },
        groups={group: (SAMPLE, of) for group, of in chosen.items()},
    )
