"""Rank combinations of settings by their jobs: several seeds each, on the same test events.

The key figure is the AUC averaged over the signals, on test events. Two uncertainties count, and
they are of different kinds: which events happened to be tested (DeLong et al., Biometrics 44
(1988) 837, paired: the same events for all), and which seed happened to be trained with (the
spread of the differences of jobs with the same seed, with Student's t for so few).

What is honest to say: the combinations are fixed before anything is trained and none is tuned on
signals, so that each row of the table is an unbiased benchmark. The choice among them is not
blind: it looks at the benchmark's signals, and the best of several is flattered by its luck, which
is why all that cannot be told from the best are named. Beside it stands the choice that a search
without any signal could make: by the rank correlation of student and teacher on the validation
split of the background, which no test event and no signal takes part in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.roc import separation

SIGMAS = 2.0
"""Standard errors within which two combinations are not told apart."""
SAME_COST = 0.05
"""Relative difference of LUTs below which the simpler one is taken: the one listed first."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One job: a combination, trained with one seed.

    Attributes:
        combination: what it shares with the jobs that differ in the seed only.
        seed: its seed.
        scores: of the test events of each sample, (n,); the higher the more anomalous.
        lut: of its firmware.
        blind: figure that no signal takes part in, the larger the better; NaN if there is none.
    """

    combination: str
    seed: str
    scores: Mapping[str, NDArray[np.floating[Any]]]
    lut: float
    blind: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A combination and what its seeds say.

    Attributes:
        combination: its name.
        seeds: that it was trained with.
        auc: mean over signals and seeds.
        event_error: of ``auc``, from the number of test events.
        seed_spread: standard deviation of the mean AUC over the seeds; NaN with one seed.
        behind: ``auc`` of the best less this one's.
        behind_error: standard error of ``behind``, for events and seeds, paired.
        is_best: whether it cannot be told from the best.
        lut: mean over the seeds.
        blind: mean of the blind figure over the seeds.
        blind_spread: its standard deviation over the seeds.
    """

    combination: str
    seeds: Sequence[str]
    auc: float
    event_error: float
    seed_spread: float
    behind: float
    behind_error: float
    is_best: bool
    lut: float
    blind: float
    blind_spread: float


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Combinations, the best first, and which one to use.

    Attributes:
        rows: the best first.
        use: the cheapest of those that cannot be told from the best.
        blind: the best by the blind figure; empty if there is none.
        words: sentences that say so.
    """

    rows: Sequence[Ranked]
    use: str
    blind: str
    words: Sequence[str] = field(default=())


@dataclass(frozen=True)
class _Parts:
    """The parts of a mean AUC that each event contributes: its structural components."""

    auc: float
    background: NDArray[np.float64]
    signals: tuple[NDArray[np.float64], ...]

    def error(self) -> float:
        """Return the standard error of the AUC by DeLong, of a mean over independent signals."""
        variance = _variance_of_mean(self.background)
        for parts in self.signals:
            variance += _variance_of_mean(parts) / len(self.signals) ** 2
        return math.sqrt(variance)

    @staticmethod
    def mean(several: "Sequence[_Parts]") -> "_Parts":
        return _Parts(
            fmean(one.auc for one in several),
            np.mean([one.background for one in several], axis=0),
            tuple(
                np.mean(parts, axis=0)
                for parts in zip(*(one.signals for one in several), strict=True)
            ),
        )

    def minus(self, other: "_Parts") -> "_Parts":
        return _Parts(
            self.auc - other.auc,
            self.background - other.background,
            tuple(a - b for a, b in zip(self.signals, other.signals, strict=True)),
        )


def rank_correlation(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Return Spearman's rank correlation of two lists of scores, (n,) each; NaN of constants."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(spearmanr(a, b).statistic)


def rank_combinations(jobs: Sequence[Trained], background: str) -> Ranking:
    """Rank combinations by the AUC averaged over the signals.

    Args:
        jobs: in the order in which the simpler ones come first; all scored the same events.
        background: name of the sample that the others are told from.

    Raises:
        ValueError: there is no job, or one was scored on other events.
    """
    if not jobs:
        raise ValueError("no jobs to rank")
    sizes = {name: len(values) for name, values in jobs[0].scores.items()}
    for job in jobs:
        if {name: len(values) for name, values in job.scores.items()} != sizes:
            raise ValueError(f"{job.combination}, seed {job.seed}: scored on other events")
    by_name: dict[str, dict[str, tuple[Trained, _Parts]]] = {}
    for job in jobs:
        by_name.setdefault(job.combination, {})[job.seed] = (job, _parts(job.scores, background))
    means = {
        name: _Parts.mean([parts for _, parts in seeds.values()]) for name, seeds in by_name.items()
    }
    best = max(means, key=lambda name: means[name].auc)
    rows = [_row(name, seeds, means, by_name[best], best) for name, seeds in by_name.items()]
    listed = {name: at for at, name in enumerate(by_name)}
    use = _cheapest([row for row in rows if row.is_best], listed)
    measured = [row for row in rows if math.isfinite(row.blind)]
    blind = max(measured, key=lambda row: row.blind).combination if measured else ""
    rows.sort(key=lambda row: -row.auc)
    return Ranking(rows=rows, use=use, blind=blind, words=_in_words(rows, use, blind))


def _parts(scores: Mapping[str, NDArray[np.floating[Any]]], background: str) -> _Parts:
    noise = np.sort(scores[background])
    signals, of_noise = [], np.zeros(len(noise))
    names = [name for name in scores if name != background]
    for name in names:
        values = scores[name]
        above = np.searchsorted(noise, values, "left") + np.searchsorted(noise, values, "right")
        signals.append(above / (2 * len(noise)))
        ordered = np.sort(values)
        given = scores[background]
        below = np.searchsorted(ordered, given, "left") + np.searchsorted(ordered, given, "right")
        of_noise += 1.0 - below / (2 * len(ordered))
    auc = fmean(separation(scores[background], scores[name]).auc for name in names)
    return _Parts(auc, of_noise / len(names), tuple(signals))


def _row(
    name: str,
    seeds: Mapping[str, tuple[Trained, _Parts]],
    means: Mapping[str, _Parts],
    of_best: Mapping[str, tuple[Trained, _Parts]],
    best: str,
) -> Ranked:
    jobs = [job for job, _ in seeds.values()]
    blind = [job.blind for job in jobs if math.isfinite(job.blind)]
    shared = [seed for seed in seeds if seed in of_best]
    # over the same seeds where there are some, so that the difference is a paired one
    if name == best or not shared:
        difference = means[best].minus(means[name])
        by_seed: list[float] = []
    else:
        pairs = [of_best[seed][1].minus(seeds[seed][1]) for seed in shared]
        difference = _Parts.mean(pairs)
        by_seed = [pair.auc for pair in pairs]
    behind_error = math.hypot(difference.error(), _error_of_mean(by_seed))
    return Ranked(
        combination=name,
        seeds=tuple(seeds),
        auc=means[name].auc,
        event_error=means[name].error(),
        seed_spread=_spread([parts.auc for _, parts in seeds.values()]),
        behind=difference.auc,
        behind_error=behind_error,
        is_best=difference.auc <= SIGMAS * behind_error,
        lut=fmean(job.lut for job in jobs),
        blind=fmean(blind) if blind else math.nan,
        blind_spread=_spread(blind),
    )


def _cheapest(rows: Sequence[Ranked], listed: Mapping[str, int]) -> str:
    least = min(row.lut for row in rows)
    cheap = [row for row in rows if row.lut <= least * (1 + SAME_COST)]
    return min(cheap, key=lambda row: listed[row.combination]).combination


def _error_of_mean(values: Sequence[float]) -> float:
    """Return the error of a mean of few values, wide enough for two of it to hold 95%."""
    if len(values) < 2:
        return 0.0
    from scipy.stats import t

    wider = float(t.ppf(0.975, len(values) - 1)) / 1.96
    return wider * stdev(values) / math.sqrt(len(values))


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else math.nan


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else 0.0


def _in_words(rows: Sequence[Ranked], use: str, blind: str) -> list[str]:
    chosen = next(row for row in rows if row.combination == use)
    equals = [row for row in rows if row.is_best]
    seeds = min(len(row.seeds) for row in rows)
    if len(rows) == 1:
        return [f"{use} alone was trained: there is nothing to compare."]
    if len(equals) == 1:
        second = rows[1]
        words = [
            f"Use {use}: its mean AUC of {chosen.auc:.4f} is above that of every other combination "
            f"by at least {second.behind:.4f} ± {second.behind_error:.4f} ({second.combination}), "
            f"more than {SIGMAS:g} standard errors."
        ]
    else:
        names = ", ".join(row.combination for row in equals)
        words = [
            f"{len(equals)} of {len(rows)} combinations cannot be told apart within {SIGMAS:g} "
            f"standard errors: {names}.",
            f"Use {use}: of these it is the cheapest ({chosen.lut:.0f} LUT) or, where costs differ "
            f"by less than {SAME_COST:.0%}, the simplest, which the sweep lists first; its mean "
            f"AUC is {chosen.auc:.4f}, {chosen.behind:.4f} ± {chosen.behind_error:.4f} below the "
            "highest.",
        ]
    if seeds < 2:
        words.append(
            "With one seed alone, what another seed would change is not in these errors: run at "
            "least three (seed=0,1,2)."
        )
    elif seeds < 3:
        words.append("Two seeds hardly tell their spread: run at least three (seed=0,1,2).")
    if blind:
        agrees = blind == use or any(row.combination == blind for row in equals)
        words.append(
            f"A choice without any signal, by the rank correlation with the teacher on the "
            f"validation split of the background, would be {blind}, which "
            + ("is among the best." if agrees else "is not among the best on the signals.")
        )
    return words
