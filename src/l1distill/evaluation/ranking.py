"""A ranking of combinations of settings: its rows, and what it says in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SIGMAS = 2.0
"""Standard errors within which two combinations are not told apart."""
SAME_COST = 0.05
"""Relative difference of LUTs below which the simpler one is taken: the one listed first."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A combination and what its seeds say.

    Attributes:
        combination: its name.
        seeds: that its figures are of.
        failed: seeds whose score is no better than chance, within :data:`SIGMAS` standard errors of
            the test events; they are no part of the figures, unless all seeds failed.
        auc: mean over signals and seeds.
        event_error: of ``auc``, from the number of test events.
        seed_spread: standard deviation of the mean AUC over the seeds; NaN with one seed.
        behind: ``auc`` of the best less this one's.
        behind_error: standard error of ``behind``, for events and seeds, paired.
        is_best: whether it cannot be told from the best; not where a seed failed.
        lut: mean over the seeds.
        blind: mean of the blind figure over the seeds.
        blind_spread: its standard deviation over the seeds.
    """

    combination: str
    seeds: Sequence[str]
    failed: Sequence[str] = ()
    auc: float
    event_error: float
    seed_spread: float
    behind: float
    behind_error: float
    is_best: bool
    lut: float
    blind: float
    blind_spread: float

    @property
    def trained(self) -> int:
        """How many seeds it was trained with."""
        return len({*self.seeds, *self.failed})

    @property
    def has_figures(self) -> bool:
        """Whether a seed did not fail."""
        return any(seed not in self.failed for seed in self.seeds)


@dataclass(frozen=True, kw_only=True)
class SignalDifference:
    """By how much the AUC of a signal differs from that of the first combination.

    Attributes:
        auc: mean over the seeds that both have.
        error: standard error, of the test events (DeLong) and the seeds.
        seeds: how many both have.
    """

    auc: float
    error: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Combinations, the best first, and which one to use.

    Attributes:
        rows: the best first; behind them those of which some seeds failed, or all.
        use: the cheapest of those that cannot be told from the best; empty where no seed of any
            combination is better than chance.
        blind: the best by the blind figure; empty if there is none.
        words: sentences that say so.
        differences: to the combination that the sweep lists first, of all others, by signal.
    """

    rows: Sequence[Ranked]
    use: str
    blind: str
    words: Sequence[str] = field(default=())
    differences: Mapping[str, Mapping[str, SignalDifference]] = field(default_factory=dict)


def in_words(rows: Sequence[Ranked], use: str, blind: str) -> list[str]:
    """Return the sentences that say which combination to use, and how sure that is.

    Args:
        rows: of all combinations, the best first.
        use: the combination to use; empty for none.
        blind: what a choice without signals would be; empty where there is none.
    """
    if not use:
        return [
            "No seed of any combination has a score that is better than chance: there is nothing "
            "to use."
        ]
    if len(rows) == 1 and not rows[0].failed:
        return [f"{use} alone was trained: there is nothing to compare."]
    words = [*_choice(rows, use), *map(_failure, (row for row in rows if row.failed))]
    seeds = min(row.trained for row in rows)
    if seeds < 2:
        words.append(
            "With one seed alone, what another seed would change is not in these errors: run at "
            "least three (seed=0,1,2)."
        )
    elif seeds < 3:
        words.append("Two seeds hardly tell their spread: run at least three (seed=0,1,2).")
    if blind:
        agrees = any(row.combination == blind and row.is_best for row in rows)
        words.append(
            f"A choice without any signal, by the rank correlation with the teacher on the "
            f"validation split of the background, would be {blind}, which "
            + ("is among the best." if agrees else "is not among the best on the signals.")
        )
    return words


def _choice(rows: Sequence[Ranked], use: str) -> list[str]:
    """Return which combination to use, and by how much it is ahead."""
    chosen = next(row for row in rows if row.combination == use)
    equals = [row for row in rows if row.is_best]
    if len(equals) > 1:
        names = ", ".join(row.combination for row in equals)
        return [
            f"{len(equals)} of {len(rows)} combinations cannot be told apart within {SIGMAS:g} "
            f"standard errors: {names}.",
            f"Use {use}: of these it is the cheapest ({chosen.lut:.0f} LUT) or, where costs differ "
            f"by less than {SAME_COST:.0%}, the simplest, which the sweep lists first; its mean "
            f"AUC is {chosen.auc:.4f}, {chosen.behind:.4f} ± {chosen.behind_error:.4f} below the "
            "highest.",
        ]
    others = [row for row in rows if not row.failed and row is not chosen]
    if not others:
        why = (
            "of every combination some seed failed, and its others have the highest mean AUC"
            if chosen.failed
            else "it is the only combination of which no seed failed, with a mean AUC"
        )
        return [f"Use {use}: {why}, {chosen.auc:.4f}."]
    second = others[0]
    whole = " whose seeds all trained" if any(row.failed for row in rows) else ""
    return [
        f"Use {use}: its mean AUC of {chosen.auc:.4f} is above that of every other combination"
        f"{whole} by at least {second.behind:.4f} ± {second.behind_error:.4f} "
        f"({second.combination}), more than {SIGMAS:g} standard errors."
    ]


def _failure(row: Ranked) -> str:
    """Return which seeds of a combination failed, and what the others reach."""
    if not row.has_figures:
        return f"{row.combination}: no seed has a score that is better than chance."
    seeds = " and ".join(row.failed)
    one = len(row.failed) == 1
    return (
        f"{row.combination}: seed{'' if one else 's'} {seeds} of {row.trained} "
        f"{'has a score that is' if one else 'have scores that are'} no better than chance, so "
        f"that it is not among the best; the others have a mean AUC of {row.auc:.4f}, "
        f"{abs(row.behind):.4f} ± {row.behind_error:.4f} "
        f"{'behind' if row.behind >= 0 else 'ahead of'} the best."
    )
