"""Bootstrap of models on the same events: their differences have smaller errors than they have.

Events of each sample are drawn with replacement, the same for every model (Efron, Ann. Statist. 7
(1979) 1), background events too, so that thresholds fluctuate as they would on other data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.context import Scores

REPLICAS = 200
"""Resamplings: an interval of 68.3% is then known to 7% of its half width."""
QUANTILES = (0.1585, 0.8415)
SEED = 20260
"""Of the drawing, so that equal scores have equal intervals."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Values, with their intervals of 68.3%: (k,) each, or numbers."""

    value: Any
    low: Any
    high: Any

    @classmethod
    def of(cls, replicas: NDArray[np.float64]) -> "Estimate":
        """Make it of values on the sample as it is and on its resamplings.

        Args:
            replicas: (1 + resamplings, ...), the first on the sample as it is; a resampling on
                which nothing could be measured is NaN.
        """
        value, resampled = replicas[0], replicas[1:]
        measured = np.isfinite(resampled).any(axis=0) & np.isfinite(value)
        # Where nothing is measured nanquantile would warn.
        safe = np.where(measured, resampled, 0.0)
        low, high = (np.nanquantile(safe, quantile, axis=0) for quantile in QUANTILES)
        low, high = np.minimum(low, value), np.maximum(high, value)
        return cls(
            value=np.where(measured, value, np.nan),
            low=np.where(measured, low, np.nan),
            high=np.where(measured, high, np.nan),
        )


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """Models on one sample; each array begins with the sample as it is.

    Attributes:
        auc: model to (1 + resamplings,) AUC of the sample against the background.
        accepted: model to (1 + resamplings, k) share of the sample that passes, for each false
            positive rate.
        accepted_by_all: the same, of events that pass with every model.
    """

    auc: Mapping[str, NDArray[np.float64]]
    accepted: Mapping[str, NDArray[np.float64]]
    accepted_by_all: NDArray[np.float64]


def resample(
    models: Mapping[str, Scores], background: str, allowed: Sequence[int]
) -> dict[str, Resampled]:
    """Measure models on resampled events.

    Args:
        models: to their scores of the same events of each sample.
        background: name of the sample that false positives are counted on.
        allowed: (k,) numbers of background events that may pass.

    Returns:
        What was measured, by sample, the background among them.
    """
    first = next(iter(models.values()))
    levels, place = np.unique(np.asarray(allowed, dtype=np.int64), return_inverse=True)
    ranked = {model: _Ranking(scores, background) for model, scores in models.items()}
    parts: dict[str, list[tuple[list[float], list[NDArray[np.float64]]]]] = {n: [] for n in first}
    for weights in draw({name: len(values) for name, values in first.items()}):
        cumulative = {m: r.cumulative(weights[background]) for m, r in ranked.items()}
        for name in first:
            passing = [ranked[m].false_positives(name, cumulative[m]) for m in models]
            shares = [
                _accepted(p, weights[name], levels)[place]
                for p in (*passing, np.maximum.reduce(passing))
            ]
            aucs = [ranked[m].auc(name, cumulative[m], weights[name]) for m in models]
            parts[name].append((aucs, shares))
    return {
        name: Resampled(
            auc={m: np.array([aucs[i] for aucs, _ in each]) for i, m in enumerate(models)},
            accepted={m: np.array([s[i] for _, s in each]) for i, m in enumerate(models)},
            accepted_by_all=np.array([shares[-1] for _, shares in each]),
        )
        for name, each in parts.items()
    }


def draw(sizes: Mapping[str, int], replicas: int = REPLICAS) -> Iterator[dict[str, Counts]]:
    """Yield how often each event is drawn: once each, and then at random with replacement.

    Args:
        sizes: number of events of each sample.
        replicas: number of resamplings.
    """
    rng = np.random.default_rng(SEED)
    yield {name: np.ones(size, dtype=np.int64) for name, size in sizes.items()}
    for _ in range(replicas):
        yield {
            name: np.bincount(rng.integers(0, size, size), minlength=size)
            for name, size in sizes.items()
        }


def bootstrap(
    events: int, measure: Callable[[Counts], float], replicas: int = REPLICAS
) -> NDArray[np.float64]:
    """Measure one sample as it is and resampled.

    Args:
        events: number of its events.
        measure: maps how often each event was drawn (n,) to a value.
        replicas: number of resamplings.
    """
    return np.array([measure(weights["sample"]) for weights in draw({"sample": events}, replicas)])


class _Ranking:
    """Where the scores of all samples stand among those of the background."""

    def __init__(self, scores: Scores, background: str) -> None:
        self._order = np.argsort(scores[background], kind="stable")
        ranked = scores[background][self._order]
        self._below = {n: np.searchsorted(ranked, s, side="left") for n, s in scores.items()}
        self._up_to = {n: np.searchsorted(ranked, s, side="right") for n, s in scores.items()}

    def cumulative(self, weights: Counts) -> Counts:
        """Return how many of the drawn background events stand before each place, (n + 1,)."""
        total: Counts = np.zeros(len(weights) + 1, dtype=np.int64)
        np.cumsum(weights[self._order], out=total[1:])
        return total

    def false_positives(self, name: str, cumulative: Counts) -> Counts:
        """Return how many background events pass a threshold that lets each event just pass."""
        passing: Counts = cumulative[-1] - cumulative[self._below[name]]
        return passing

    def auc(self, name: str, cumulative: Counts, weights: Counts) -> float:
        """Return the AUC as a rank statistic, half for equal scores."""
        twice = cumulative[self._below[name]] + cumulative[self._up_to[name]]
        pairs = 2.0 * float(cumulative[-1]) * float(weights.sum())
        return float((weights * twice).sum()) / pairs


def _accepted(false_positives: Counts, weights: Counts, levels: Counts) -> NDArray[np.float64]:
    """Return the share of events that pass where so many background events may, rising."""
    place = np.searchsorted(levels, false_positives, side="left")
    counts = np.bincount(place, weights=weights, minlength=len(levels) + 1)
    share: NDArray[np.float64] = np.cumsum(counts)[: len(levels)] / weights.sum()
    return share
