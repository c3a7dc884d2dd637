"""Drift: how far new events differ from a reference, and how sure that is.

Two measures of two samples of one number, each with its standard error and the probability of a
difference that large where there is none: the population stability index (PSI) and the distance of
Kolmogorov and Smirnov (KS). And the ratio of two rates.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.proportions import wilson

BINS = 10
"""Most bins of the PSI; each holds the same share of the reference."""
LEAST_IN_BIN = 5
"""Events that each bin of the smaller sample is expected to hold, for the chi-squared."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A difference of two samples.

    Attributes:
        value: estimate of the difference; 0 where there is none, but for fluctuations.
        error: standard error.
        p_value: probability of a difference at least as large between samples of one distribution.
    """

    value: float
    error: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """PSI and KS distance of one number in two samples.

    Attributes:
        psi: population stability index, less what fluctuations alone add to it.
        ks: largest distance between the two cumulative distributions.
    """

    psi: Measure
    ks: Measure


NO_DIFFERENCE = Measure(value=0.0, error=0.0, p_value=1.0)


def difference(reference: NDArray[np.floating[Any]], new: NDArray[np.floating[Any]]) -> Difference:
    """Measure how one number differs in two samples.

    Args:
        reference: (n,) finite values.
        new: (m,) finite values.

    Raises:
        ValueError: a sample is empty.
    """
    if not len(reference) or not len(new):
        raise ValueError("an empty sample cannot be compared")
    return Difference(psi=stability_index(reference, new), ks=ks_distance(reference, new))


def stability_index(
    reference: NDArray[np.floating[Any]], new: NDArray[np.floating[Any]]
) -> Measure:
    """Measure the population stability index, the sum of (q - p) ln(q / p) over bins.

    p and q are the shares of the reference and of the new events in a bin. Of two samples of one
    distribution in B bins it is (1/n + 1/m) times a chi-squared variable of B - 1 degrees of
    freedom (Yurdakul and Naranjo, Journal of Risk Model Validation 14(4) (2020)). Its mean is
    taken off the value, and gives the p-value; the error is that of the delta method, with the
    spread of the chi-squared added in quadrature.

    Args:
        reference: (n,) values, whose quantiles are the edges of the bins.
        new: (m,) values.
    """
    n, m = len(reference), len(new)
    edges = _edges(reference, max(2, min(BINS, min(n, m) // LEAST_IN_BIN)))
    counts = np.stack([_counts(values, edges) for values in (reference, new)])
    counts = counts[:, counts.sum(axis=0) > 0]
    freedom = counts.shape[1] - 1
    if freedom == 0:
        return NO_DIFFERENCE
    from scipy.stats import chi2

    # half an event more in each bin keeps the logarithm finite where one of them is empty
    p, q = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    index = float(((q - p) * np.log(q / p)).sum())
    scale = 1.0 / n + 1.0 / m
    variance = _variance(p, np.log(p / q) + 1.0 - q / p) / n
    variance += _variance(q, np.log(q / p) + 1.0 - p / q) / m
    return Measure(
        value=max(index - freedom * scale, 0.0),
        error=math.sqrt(variance + 2.0 * freedom * scale**2),
        p_value=float(chi2.sf(index / scale, freedom)),
    )


def ks_distance(reference: NDArray[np.floating[Any]], new: NDArray[np.floating[Any]]) -> Measure:
    """Measure the distance of Kolmogorov and Smirnov with SciPy.

    The error is that of the two binomial shares where the distance is largest. Equal values make
    the p-value larger than it is, never smaller.
    """
    from scipy.stats import ks_2samp

    result: Any = ks_2samp(reference, new, method="asymp")
    shares = [
        (float((values <= result.statistic_location).mean()), len(values))
        for values in (reference, new)
    ]
    variance = sum(share * (1.0 - share) / events for share, events in shares)
    return Measure(
        value=float(result.statistic), error=math.sqrt(variance), p_value=float(result.pvalue)
    )


@dataclass(frozen=True, kw_only=True)
class RateChange:
    """How the share of events that pass a threshold has changed.

    Attributes:
        reference: share of the reference that passes.
        new: share of the new events that passes.
        low: lower end of the interval of 68.3% of the new share (Wilson).
        high: upper end.
        ratio: new over reference; half an event is added to both counts.
        log_error: standard error of the logarithm of the ratio.
        p_value: probability of shares at least as different where they are the same (Fisher).
    """

    reference: float
    new: float
    low: float
    high: float
    ratio: float
    log_error: float
    p_value: float


def rate_change(passed: tuple[int, int], events: tuple[int, int]) -> RateChange:
    """Compare the shares of two samples that pass a threshold.

    Args:
        passed: events that pass, of the reference and of the new events.
        events: all events of both.

    Raises:
        ValueError: a sample is empty.
    """
    from scipy.stats import fisher_exact

    if not all(events):
        raise ValueError("an empty sample cannot be compared")
    table = [[one, every - one] for one, every in zip(passed, events, strict=True)]
    low, high = wilson(passed[1], events[1])
    before, after = ((one + 0.5) / (every + 1) for one, every in zip(passed, events, strict=True))
    spread = sum(
        1.0 / (one + 0.5) - 1.0 / (every + 1.0) for one, every in zip(passed, events, strict=True)
    )
    return RateChange(
        reference=passed[0] / events[0],
        new=passed[1] / events[1],
        low=float(low),
        high=float(high),
        ratio=after / before,
        log_error=math.sqrt(spread),
        p_value=float(fisher_exact(table).pvalue),
    )


def _edges(reference: NDArray[np.floating[Any]], bins: int) -> NDArray[np.float64]:
    """Return inner edges of bins with equal shares; a value that fills several of them has one."""
    inner = np.arange(1, bins) / bins
    edges: NDArray[np.float64] = np.unique(np.quantile(reference, inner, method="higher"))
    return edges


def _counts(values: NDArray[np.floating[Any]], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def _variance(shares: NDArray[np.float64], slopes: NDArray[np.float64]) -> float:
    """Return the variance of one multinomial event, each bin weighted with its slope."""
    return float((shares * slopes**2).sum() - (shares * slopes).sum() ** 2)
