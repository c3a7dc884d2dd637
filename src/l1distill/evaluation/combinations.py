"""Rank combinations of settings by their jobs: several seeds each, on the same test events.

The key figure is the AUC averaged over the signals, on test events. Two uncertainties count, and
they are of different kinds: which events happened to be tested (DeLong et al., Biometrics 44
(1988) 837, paired: the same events for all), and which seed happened to be trained with (the
spread of the differences of jobs with the same seed, with Student's t for so few).

What is honest to say: the combinations are fixed before anything is trained and none is tuned on
signals, so that each row of the table is an unbiased benchmark. The choice among them is not
blind: it looks at the benchmark's signals, and the best of several is flattered by its luck, which
is why all that cannot be told from the best are named. A seed whose score is no better than chance
failed: its training collapsed, as to a constant. It is counted and left out of the figures, since
one such seed would widen a combination's error until nothing could be said of it; and a
combination with a failed seed is not among the best, whatever the others say. Beside it stands
the choice that a search without any signal could make: by the rank correlation of student and
teacher on the validation split of the background, which no test event and no signal takes part in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.ranking import SAME_COST, SIGMAS, Ranked, Ranking, in_words
from l1distill.evaluation.roc import separation
from l1distill.evaluation.seeds import spread_over_seeds

CHANCE = 0.5
"""AUC of a score that says nothing."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One job: a combination, trained with one seed.

    Attributes:
        combination: what it shares with the jobs that differ in the seed only.
        seed: its seed.
        scores: of the test events of each sample, (n,); the higher the more anomalous.
        lut: of its firmware.
        blind: figure that no signal takes part in, the larger the better; NaN if there is none.
        refused: whether its gates refused it.
    """

    combination: str
    seed: str
    scores: Mapping[str, NDArray[np.floating[Any]]]
    lut: float
    blind: float = math.nan
    refused: bool = False


@dataclass(frozen=True)
class Parts:
    """The parts of a mean AUC that each event contributes: its structural components.

    Attributes:
        auc: mean over the signals.
        background: (n,) of each background event.
        signals: (n,) of each event of a signal.
    """

    auc: float
    background: NDArray[np.float64]
    signals: tuple[NDArray[np.float64], ...]

    def error(self) -> float:
        """Return the standard error of the AUC by DeLong, of a mean over independent signals."""
        variance = _variance_of_mean(self.background)
        for parts in self.signals:
            variance += _variance_of_mean(parts) / len(self.signals) ** 2
        return math.sqrt(variance)

    def is_chance(self) -> bool:
        """Return whether the AUC is not above that of a coin."""
        return self.auc - SIGMAS * self.error() <= CHANCE

    @staticmethod
    def mean(several: "Sequence[Parts]") -> "Parts":
        """Return the mean of scores of the same events."""
        return Parts(
            fmean(one.auc for one in several),
            np.mean([one.background for one in several], axis=0),
            tuple(
                np.mean(parts, axis=0)
                for parts in zip(*(one.signals for one in several), strict=True)
            ),
        )

    def minus(self, other: "Parts") -> "Parts":
        """Return the difference to another score of the same events."""
        return Parts(
            self.auc - other.auc,
            self.background - other.background,
            tuple(a - b for a, b in zip(self.signals, other.signals, strict=True)),
        )


_Seeds = Mapping[str, tuple[Trained, Parts]]
"""The jobs of a combination by their seed."""


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
    by_name: dict[str, dict[str, tuple[Trained, Parts]]] = {}
    for job in jobs:
        by_name.setdefault(job.combination, {})[job.seed] = (job, parts_of(job.scores, background))
    failed = {
        name: [seed for seed, (_, parts) in seeds.items() if parts.is_chance()]
        for name, seeds in by_name.items()
    }
    counted = {
        name: {seed: one for seed, one in seeds.items() if seed not in failed[name]} or seeds
        for name, seeds in by_name.items()
    }
    means = {name: _mean_parts(seeds) for name, seeds in counted.items()}
    sound = [name for name in by_name if not failed[name]]
    some = [name for name in by_name if len(failed[name]) < len(by_name[name])]
    eligible = sound or some or list(by_name)
    best = max(eligible, key=lambda name: means[name].auc)
    rows = [
        _row(name, seeds, failed[name], means, counted[best], best, is_eligible=name in eligible)
        for name, seeds in counted.items()
    ]
    listed = {name: at for at, name in enumerate(by_name)}
    equals = [row for row in rows if row.is_best]
    refused = {job.combination for job in jobs if job.refused}
    passed = [row for row in equals if row.combination not in refused]
    use = _cheapest(passed or equals, listed) if some else ""
    measured = [row for row in rows if math.isfinite(row.blind)]
    blind = max(measured, key=lambda row: row.blind).combination if measured else ""
    rows.sort(key=lambda row: (bool(row.failed), not row.has_figures, -row.auc))
    words = in_words(rows, use, blind)
    if use and len(passed) < len(equals):
        left_out = ", ".join(row.combination for row in equals if row not in passed)
        words.append(
            f"Gates refused a seed of {left_out}: "
            + ("it is not among what may be used." if passed else "nothing among the best passed.")
        )
    return Ranking(rows=rows, use=use, blind=blind, words=words)


def _mean_parts(seeds: _Seeds) -> Parts:
    return Parts.mean([parts for _, parts in seeds.values()])


def parts_of(scores: Mapping[str, NDArray[np.floating[Any]]], background: str) -> Parts:
    """Return the structural components of the AUC averaged over all signals in ``scores``."""
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
    return Parts(auc, of_noise / len(names), tuple(signals))


def _row(
    name: str,
    seeds: _Seeds,
    failed: Sequence[str],
    means: Mapping[str, Parts],
    of_best: _Seeds,
    best: str,
    *,
    is_eligible: bool,
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
        difference = Parts.mean(pairs)
        by_seed = [pair.auc for pair in pairs]
    behind_error = math.hypot(difference.error(), error_of_mean(by_seed))
    return Ranked(
        combination=name,
        seeds=tuple(seeds),
        failed=tuple(failed),
        auc=means[name].auc,
        event_error=means[name].error(),
        seed_spread=spread_over_seeds([parts.auc for _, parts in seeds.values()]),
        behind=difference.auc,
        behind_error=behind_error,
        is_best=is_eligible and difference.auc <= SIGMAS * behind_error,
        lut=fmean(job.lut for job in jobs),
        blind=fmean(blind) if blind else math.nan,
        blind_spread=spread_over_seeds(blind),
    )


def _cheapest(rows: Sequence[Ranked], listed: Mapping[str, int]) -> str:
    least = min(row.lut for row in rows)
    cheap = [row for row in rows if row.lut <= least * (1 + SAME_COST)]
    return min(cheap, key=lambda row: listed[row.combination]).combination


def error_of_mean(values: Sequence[float]) -> float:
    """Return the error of a mean of few values, wide enough for two of it to hold 95%."""
    if len(values) < 2:
        return 0.0
    from scipy.stats import t

    wider = float(t.ppf(0.975, len(values) - 1)) / 1.96
    return wider * stdev(values) / math.sqrt(len(values))


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else 0.0
