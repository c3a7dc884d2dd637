"""Evaluation of jets: AUC, and the background rejection at fixed signal efficiencies."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.evaluation.context import Look, ScoreContext
from l1distill.evaluation.evaluation import Evaluation
from l1distill.evaluation.proportions import wilson
from l1distill.evaluation.rates import threshold_at
from l1distill.evaluation.roc import separation, to_curve
from l1distill.reporting.plots.style import BACKGROUND
from l1distill.tasks.jets.dataset import LABEL, SAMPLE
from l1distill.tasks.jets.plots import SIGNAL, words_of
from l1distill.tasks.jets.settings import JetsEvaluationSettings
from l1distill.tasks.jets.statistics import STATISTICS, Statistics
from l1distill.tasks.records import Answers

ROC = "roc"
EFFICIENCIES = (50, 80)
"""Signal efficiencies in percent."""
_USUAL = ("softdrop_mass", "d2", "displaced_tracks")
_SINGLE = 3  # features that are judged by themselves


def evaluate(answers: Answers, dataset: Dataset) -> Evaluation:
    """Return ``auc``, ``auc_error``, ``rejection_50`` and ``rejection_80``, and the ROC curve.

    A rejection is one over the share of background that passes, with ``_low`` and ``_high`` from
    the share's Wilson interval of 68.3%; where none passes, the value is that of half a jet.
    """
    label = dataset.training.columns(Split.TEST)[LABEL]
    scores = answers[SAMPLE].reshape(len(answers[SAMPLE]))
    result = separation(scores[label == 0], scores[label == 1])
    metrics = {"auc": result.auc, "auc_error": result.auc_error}
    for percent in EFFICIENCIES:
        values = rejection(scores[label == 0], scores[label == 1], percent / 100)
        for end, value in zip(("", "_low", "_high"), values, strict=True):
            metrics[f"rejection_{percent}{end}"] = value
    return Evaluation(
        metrics=metrics,
        curves={ROC: {_statistics(dataset).classes[1]: to_curve(result.roc)}},
        primary="auc",
        headline=("auc", "rejection_50", "rejection_80"),
    )


def rejection(
    background: NDArray[np.floating[Any]], signal: NDArray[np.floating[Any]], efficiency: float
) -> tuple[float, float, float]:
    """Return the background rejection at a signal efficiency, and the ends of its interval."""
    passed = int((background >= threshold_at(signal, efficiency)).sum())
    low, high = wilson(passed, len(background))
    value = len(background) / max(passed, 0.5)
    least = min(float(low), 1.0 / value)
    return value, 1.0 / float(high), 1.0 / max(least, 1e-9 if passed else 0.5 / len(background))


def make_context(settings: JetsEvaluationSettings, dataset: Dataset) -> ScoreContext:
    """Return single features as trivial scores, and the rate that background jets come at."""
    statistics = _statistics(dataset)
    background, signal = statistics.classes
    label = dataset.training.columns(Split.TEST)[LABEL]
    jets = dataset.training.part(Split.TEST)
    chosen = {background: label == 0, signal: label == 1}
    trivial = {}
    for name, sign in _single_features(settings, statistics.features, dataset).items():
        values = sign * np.asarray(jets[:, statistics.features.index(name)], np.float64)
        trivial[name] = {group: values[of] for group, of in chosen.items()}
    return ScoreContext(
        background=background,
        input_rate_khz=settings.input_rate_khz,
        trivial=trivial,
        looks={
            background: Look(label=words_of(background), color=BACKGROUND),
            signal: Look(label=words_of(signal), color=SIGNAL),
        },
        efficiencies=EFFICIENCIES,
        groups={group: (SAMPLE, of) for group, of in chosen.items()},
    )


def _statistics(dataset: Dataset) -> Statistics:
    return Statistics.read(dataset.folder / STATISTICS)


def _single_features(
    settings: JetsEvaluationSettings, features: Sequence[str], dataset: Dataset
) -> dict[str, float]:
    """Return the features that are judged by themselves, with the sign of their correlation.

    Sign and choice are those of the training split.

    Raises:
        ConfigError: the data has no feature of a name.
    """
    from sklearn.metrics import roc_auc_score

    label = dataset.training.columns(Split.TRAIN)[LABEL]
    jets = dataset.training.part(Split.TRAIN)
    given = list(settings.single_features or (one for one in _USUAL if one in features))
    for name in given:
        if name not in features:
            near = difflib.get_close_matches(name, features, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"evaluation.single_features: no feature of the name {name!r}; did you mean {near}?"
            )
    auc = {
        name: float(roc_auc_score(label, jets[:, features.index(name)]))
        for name in given or features
    }
    best = sorted(auc, key=lambda name: -abs(auc[name] - 0.5))[:_SINGLE]
    return {name: 1.0 if auc[name] >= 0.5 else -1.0 for name in given or best}
