"""How well an anomaly score separates signals from background."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FPR_POINTS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5}
"""False positive rates of the working points, by their name in the metrics."""
RESOLVED_FROM = 10.0
"""Background events that a working point must leave for its rate to mean something: the rate itself
is then known to a third."""
CONFIDENCE = 0.683


class Rate(NamedTuple):
    """A share of events with its Wilson interval of 68.3% (Wilson, JASA 22 (1927) 209)."""

    value: float
    low: float
    high: float


class Roc(NamedTuple):
    """A receiver operating characteristic: (k,) each, both rising."""

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]


class Separation(NamedTuple):
    """How one signal stands out."""

    auc: float
    auc_error: float
    """Standard error of the AUC (Hanley and McNeil, Radiology 143 (1982) 29, eq. 2)."""
    tpr: dict[str, Rate]
    """TPR at those points of :data:`FPR_POINTS` that the background sample can resolve."""
    roc: Roc


def separation(
    background: NDArray[np.floating[Any]], signal: NDArray[np.floating[Any]]
) -> Separation:
    """Measures how the scores of a signal separate from those of the background.

    Args:
        background: (n,) scores of test events.
        signal: (m,) scores.

    Raises:
        ValueError: a score is not finite, or a sample is empty.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    labels = np.concatenate([np.zeros(len(background)), np.ones(len(signal))])
    scores = np.concatenate([background, signal])
    fpr, tpr, _ = roc_curve(labels, scores)
    auc = float(roc_auc_score(labels, scores))
    resolved = {
        name: _rate(float(tpr[np.searchsorted(fpr, point, side="right") - 1]), len(signal))
        for name, point in FPR_POINTS.items()
        if resolves(point, len(background))
    }
    return Separation(auc, _auc_error(auc, len(signal), len(background)), resolved, Roc(fpr, tpr))


def resolves(fpr: float, background: int) -> bool:
    """Says whether a sample of ``background`` test events can tell a false positive rate."""
    return fpr * background >= RESOLVED_FROM


def _rate(value: float, events: int) -> Rate:
    from scipy.stats import binomtest

    test = binomtest(round(value * events), events)
    low, high = test.proportion_ci(CONFIDENCE, method="wilson")
    return Rate(value, float(low), float(high))


def separations(
    background: NDArray[np.floating[Any]], signals: Mapping[str, NDArray[np.floating[Any]]]
) -> dict[str, Separation]:
    """Does it for each signal."""
    return {name: separation(background, scores) for name, scores in signals.items()}


def to_metrics(results: Mapping[str, Separation]) -> dict[str, float]:
    """Names the figures as the metrics do: ``auc/<signal>``, ``tpr_fpr1e-3/<signal>``.

    ``_low`` and ``_high`` behind the rate's name are the ends of its interval.
    """
    metrics: dict[str, float] = {}
    for signal, result in results.items():
        metrics[f"auc/{signal}"] = result.auc
        metrics[f"auc_error/{signal}"] = result.auc_error
        for point, tpr in result.tpr.items():
            metrics[f"tpr_fpr{point}/{signal}"] = tpr.value
            metrics[f"tpr_fpr{point}_low/{signal}"] = tpr.low
            metrics[f"tpr_fpr{point}_high/{signal}"] = tpr.high
    return metrics


def mean_squared_distance(
    scores: Mapping[str, NDArray[np.floating[Any]]],
    targets: Mapping[str, NDArray[np.floating[Any]]],
) -> dict[str, float]:
    """Measures how far a student is from its teacher: ``mse_to_teacher/<sample>``.

    Args:
        scores: what the student says, (n,) for each sample.
        targets: what it should say, likewise.
    """
    return {
        f"mse_to_teacher/{name}": float(np.mean((scores[name] - targets[name]) ** 2))
        for name in scores
    }


def _auc_error(auc: float, signal: int, background: int) -> float:
    q1 = auc / (2.0 - auc)
    q2 = 2.0 * auc**2 / (1.0 + auc)
    variance = (
        auc * (1.0 - auc) + (signal - 1) * (q1 - auc**2) + (background - 1) * (q2 - auc**2)
    ) / (signal * background)
    return float(np.sqrt(max(variance, 0.0)))
