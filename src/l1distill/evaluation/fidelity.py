"""How well a student follows its teacher, event by event and where a trigger decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.context import Scores
from l1distill.evaluation.metric_names import with_suffix
from l1distill.evaluation.resampling import Counts, Estimate, Resampled, bootstrap, resample
from l1distill.evaluation.roc import FPR_POINTS, resolves
from l1distill.evaluation.working_points import count_at, fpr_grid

TEACHER, STUDENT = "teacher", "student"
SORTED_REPLICAS = 50
"""Resamplings of what SciPy sorts anew each time: the error is then known to a tenth."""


@dataclass(frozen=True, kw_only=True)
class Bands:
    """Curves over the false positive rate, with intervals: (k,) each.

    Attributes:
        fpr: from the smallest that the background resolves to 1.
        tpr: model to the share of the sample that it accepts.
        ratio: student over teacher of that share; None without a student.
        agreement: of the events that the teacher accepts, the share that the student accepts at
            the same background rate; None without a student.
    """

    fpr: NDArray[np.float64]
    tpr: Mapping[str, Estimate]
    ratio: Estimate | None = None
    agreement: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """A model, or a student with its teacher, on all samples.

    Attributes:
        metrics: flat, those of the comparison alone.
        bands: of each sample, the background among them; empty for a background of too few events.
    """

    metrics: Mapping[str, float]
    bands: Mapping[str, Bands]


def follow_teacher(
    student: Scores, teacher: Scores, background: str, *, same_scale: bool = True
) -> Fidelity:
    """Compare a student's scores with its teacher's, with intervals from one paired bootstrap.

    Args:
        student: scores of the evaluation items of each sample.
        teacher: what the student should answer to the same items.
        background: name of the sample that working points are counted on.
        same_scale: whether both are on the same scale; a logit and a score are not, and have an
            order to compare and no distance.

    Returns:
        Metrics ``auc_difference/<signal>``, ``tpr_ratio_fpr<point>/<signal>``,
        ``agreement_fpr<point>/<sample>``, ``rank_correlation/<sample>``, ``wasserstein/<sample>``,
        each with its error or interval, and ``mse_to_teacher_error/<sample>``; one that cannot be
        measured, as the rank of a student that always answers the same, is left out, and so are
        distances between different scales.
    """
    points, grid, allowed = _grid(len(teacher[background]))
    resampled = resample({TEACHER: teacher, STUDENT: student}, background, allowed)
    metrics: dict[str, float] = {}
    for name, result in resampled.items():
        if name != background:
            difference = result.auc[STUDENT] - result.auc[TEACHER]
            _put(metrics, f"auc_difference/{name}", difference[0], _spread(difference))
        ratio, agreement = _shares(result)
        for at, point in enumerate(points):
            if name != background:
                _put_interval(metrics, f"tpr_ratio_fpr{point}/{name}", ratio, at)
            _put_interval(metrics, f"agreement_fpr{point}/{name}", agreement, at)
        metrics |= _rank_correlation(name, student[name], teacher[name])
        if same_scale:
            metrics |= _distances(name, student[name], teacher[name])
    return Fidelity(metrics=metrics, bands=_bands(resampled, grid, len(points)))


def without_student(scores: Scores, background: str) -> Fidelity:
    """Measure the curves of one model, with intervals; there is nothing to compare.

    Args:
        scores: of the evaluation items of each sample.
        background: name of the sample that working points are counted on.
    """
    points, grid, allowed = _grid(len(scores[background]))
    resampled = resample({TEACHER: scores}, background, allowed)
    return Fidelity(metrics={}, bands=_bands(resampled, grid, len(points)))


def _grid(background: int) -> tuple[list[str], NDArray[np.float64], list[int]]:
    """Return the resolved working points, the rates of curves, and the events allowed at each."""
    points = [name for name, fpr in FPR_POINTS.items() if resolves(fpr, background)]
    grid = fpr_grid(background) if resolves(1.0, background) else np.zeros(0)
    allowed = [count_at(FPR_POINTS[name], background) for name in points]
    return points, grid, allowed + [count_at(fpr, background) for fpr in grid]


def _shares(result: Resampled) -> tuple[Estimate, Estimate]:
    """Return student over teacher, and agreement, at every rate."""
    teacher, student = result.accepted[TEACHER], result.accepted[STUDENT]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(teacher > 0, student / teacher, np.nan)
        agreement = np.where(teacher > 0, result.accepted_by_all / teacher, np.nan)
    return Estimate.of(ratio), Estimate.of(agreement)


def _bands(
    resampled: Mapping[str, Resampled], grid: NDArray[np.float64], points: int
) -> dict[str, Bands]:
    if len(grid) == 0:
        return {}
    bands = {}
    for name, result in resampled.items():
        tpr = {m: Estimate.of(a[:, points:]) for m, a in result.accepted.items()}
        if STUDENT not in tpr:
            bands[name] = Bands(fpr=grid, tpr=tpr)
            continue
        ratio, agreement = (_from(estimate, points) for estimate in _shares(result))
        bands[name] = Bands(fpr=grid, tpr=tpr, ratio=ratio, agreement=agreement)
    return bands


def _from(estimate: Estimate, start: int) -> Estimate:
    return Estimate(
        value=estimate.value[start:], low=estimate.low[start:], high=estimate.high[start:]
    )


def _rank_correlation(
    name: str, student: NDArray[np.floating[Any]], teacher: NDArray[np.floating[Any]]
) -> dict[str, float]:
    """Return Spearman's rank correlation and its error."""
    metrics: dict[str, float] = {}
    correlations = bootstrap(len(student), _RankCorrelation(student, teacher))
    _put(metrics, f"rank_correlation/{name}", correlations[0], _spread(correlations))
    return metrics


def _distances(
    name: str, student: NDArray[np.floating[Any]], teacher: NDArray[np.floating[Any]]
) -> dict[str, float]:
    """Return the Wasserstein distance and the error of the mean squared distance."""
    from scipy.stats import wasserstein_distance

    squared = (np.asarray(student, dtype=np.float64) - teacher) ** 2
    metrics = {f"mse_to_teacher_error/{name}": float(squared.std() / np.sqrt(len(squared)))}
    distances = bootstrap(
        len(student),
        lambda drawn: wasserstein_distance(student, teacher, drawn, drawn),
        SORTED_REPLICAS,
    )
    _put(metrics, f"wasserstein/{name}", distances[0], _spread(distances))
    return metrics


class _RankCorrelation:
    """Spearman's rank correlation of drawn events, by their ranks in the whole sample."""

    def __init__(self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> None:
        from scipy.stats import rankdata

        self._x, self._y = (rankdata(v) - 0.5 * (len(v) + 1) for v in (x, y))

    def __call__(self, weights: Counts) -> float:
        total = weights.sum()
        x = self._x - (weights * self._x).sum() / total
        y = self._y - (weights * self._y).sum() / total
        spread = (weights * x * x).sum() * (weights * y * y).sum()
        return float((weights * x * y).sum() / np.sqrt(spread)) if spread > 0 else np.nan


def _spread(replicas: NDArray[np.float64]) -> float:
    """Return the standard error, the deviation of what was measured on resampled events."""
    measured = replicas[1:][np.isfinite(replicas[1:])]
    return float(measured.std()) if len(measured) else np.nan


def _put(metrics: dict[str, float], name: str, value: float, error: float) -> None:
    if np.isfinite(value) and np.isfinite(error):
        metrics[name] = float(value)
        metrics[with_suffix(name, "_error")] = float(error)


def _put_interval(metrics: dict[str, float], name: str, estimate: Estimate, at: int) -> None:
    for suffix, values in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
        if np.isfinite(values[at]):
            metrics[with_suffix(name, suffix)] = float(values[at])
