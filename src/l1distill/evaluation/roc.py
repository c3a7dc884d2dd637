"""ROC curves, AUC and true positive rates: how well a score separates signal from background."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.curves import Curve
from l1distill.evaluation.proportions import wilson

FPR_POINTS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5}
"""False positive rates of the working points, by their name in the metrics."""
RESOLVED_FROM = 10.0
"""Background events that a working point must leave for its rate to mean something: the rate itself
is then known to a third."""
CURVE_POINTS = 200
"""Points kept of each ROC curve in its file; even in the logarithm of the FPR."""
X_NAME, Y_NAME = "fpr", "tpr"


@dataclass(frozen=True)
class Rate:
    """A share of events with its Wilson interval of 68.3% (Wilson, JASA 22 (1927) 209)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Roc:
    """A receiver operating characteristic: (k,) each, both rising."""

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Separation:
    """ROC curve, AUC and working points of one signal."""

    auc: float
    auc_error: float
    """Standard error of the AUC (Hanley and McNeil, Radiology 143 (1982) 29, eq. 2)."""
    tpr: dict[str, Rate]
    """TPR at those points of :data:`FPR_POINTS` that the background sample can resolve."""
    roc: Roc
    resolved_from: float = 0.0
    """False positive rate at which :data:`RESOLVED_FROM` background events are left."""


def separation(
    background: NDArray[np.floating[Any]], signal: NDArray[np.floating[Any]]
) -> Separation:
    """Measure ROC curve, AUC and TPR of a signal's scores against those of the background.

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
    return Separation(
        auc=auc,
        auc_error=_auc_error(auc, len(signal), len(background)),
        tpr=resolved,
        roc=Roc(fpr=fpr, tpr=tpr),
        resolved_from=RESOLVED_FROM / len(background),
    )


def resolves(fpr: float, background: int) -> bool:
    """Return whether ``background`` test events are enough to measure a false positive rate."""
    return fpr * background >= RESOLVED_FROM


def _rate(value: float, events: int) -> Rate:
    low, high = wilson(round(value * events), events)
    return Rate(value, float(low), float(high))


def separations(
    background: NDArray[np.floating[Any]], signals: Mapping[str, NDArray[np.floating[Any]]]
) -> dict[str, Separation]:
    """Measure the separation of each signal; see :func:`separation`."""
    return {name: separation(background, scores) for name, scores in signals.items()}


def to_metrics(results: Mapping[str, Separation]) -> dict[str, float]:
    """Return flat metrics: ``auc/<signal>``, ``auc_error/<signal>``, ``tpr_fpr1e-3/<signal>``.

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


def to_curve(roc: Roc) -> Curve:
    """Return a ROC curve with few points, even in the logarithm of the false positive rate."""
    grid = np.geomspace(max(roc.fpr[roc.fpr > 0].min(), 1e-6), 1.0, CURVE_POINTS)
    tpr = roc.tpr[np.searchsorted(roc.fpr, grid, side="right") - 1]
    return Curve(x=grid, y=tpr, x_name=X_NAME, y_name=Y_NAME)


def _auc_error(auc: float, signal: int, background: int) -> float:
    q1 = auc / (2.0 - auc)
    q2 = 2.0 * auc**2 / (1.0 + auc)
    variance = (
        auc * (1.0 - auc) + (signal - 1) * (q1 - auc**2) + (background - 1) * (q2 - auc**2)
    ) / (signal * background)
    return float(np.sqrt(max(variance, 0.0)))
