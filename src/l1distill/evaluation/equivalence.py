"""Whether two ways give the same: tests that can say so, and tests for a difference."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.05
_MOST_ARRANGEMENTS = 20_000
"""Arrangements of the labels up to which all are looked at; of more a sample of so many."""


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Outcome of two one-sided t tests of paired differences (Schuirmann 1987).

    Attributes:
        mean: of the differences.
        deviation: their standard deviation.
        low: lower end of the interval of 90% of the mean, which lies within the bounds where the
            tests say so at a level of 5%.
        high: its upper end.
        p: the larger p-value of both tests: of differences at or beyond a bound.
        power: chance that the tests say so where the true mean is zero, with this deviation and
            number of pairs.
        pairs: number of differences.
    """

    mean: float
    deviation: float
    low: float
    high: float
    p: float
    power: float
    pairs: int


def equivalence(differences: ArrayLike, bound: float, level: float = LEVEL) -> Equivalence:
    """Test whether the mean of paired differences is within bounds around zero.

    Args:
        differences: at least two.
        bound: largest magnitude of a mean that counts as the same.
        level: of the test.
    """
    from scipy.stats import t

    values = np.asarray(differences, np.float64)
    number, mean = len(values), float(values.mean())
    deviation = float(values.std(ddof=1))
    error, degrees = max(deviation / np.sqrt(number), 1e-300), number - 1
    critical = float(t.ppf(1.0 - level, degrees))
    beyond = (t.sf((mean + bound) / error, degrees), t.cdf((mean - bound) / error, degrees))
    inside = bound / error - critical
    return Equivalence(
        mean=mean,
        deviation=deviation,
        low=mean - critical * error,
        high=mean + critical * error,
        p=float(max(beyond)),
        # central t for the noncentral one: Phillips, J. Pharmacokin. Biopharm. 18 (1990) 137
        power=float(max(0.0, 2.0 * t.cdf(inside, degrees) - 1.0)),
        pairs=number,
    )


def permutation_p(one: Sequence[float], other: Sequence[float], seed: int = 0) -> float:
    """Return the two-sided p-value of a difference of means, by permuting who belongs where.

    Exact where there are few arrangements: of three against three values it is 0.1 at least.

    Args:
        one: values of one kind.
        other: of the other.
        seed: of the sample of arrangements, where there are too many.
    """
    values, size = np.concatenate([one, other]), len(one)
    observed = abs(float(np.mean(one)) - float(np.mean(other)))
    number, total = len(values), float(values.sum())
    if comb(number, size) <= _MOST_ARRANGEMENTS:
        chosen = [list(some) for some in itertools.combinations(range(number), size)]
        extra = 0
    else:
        rng = np.random.default_rng(seed)
        chosen = [rng.permutation(number)[:size].tolist() for _ in range(_MOST_ARRANGEMENTS)]
        extra = 1  # that which was observed
    sums = np.array([values[some].sum() for some in chosen])
    differences = np.abs(sums / size - (total - sums) / (number - size))
    as_far = int((differences >= observed - 1e-12 * max(1.0, abs(observed))).sum())
    return (as_far + extra) / (len(chosen) + extra)


def bootstrap_difference(
    one: Sequence[float], other: Sequence[float], samples: int = 4000, seed: int = 0
) -> tuple[float, float]:
    """Return the interval of 95% of the difference of two means, from resampled values."""
    rng = np.random.default_rng(seed)
    means = [
        np.asarray(some)[rng.integers(0, len(some), (samples, len(some)))].mean(axis=1)
        for some in (one, other)
    ]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(low), float(high)
