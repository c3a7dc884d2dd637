"""The page of a study of searches: distances, the best students, significance, equal compute."""

from collections.abc import Mapping, Sequence
from math import exp, inf, isinf

import numpy as np

from l1distill.evaluation.searches import Contrast, Search, best_losses, share_of_good
from l1distill.reporting.pictures import Picture
from l1distill.reporting.study_page import render_study
from l1distill.reporting.tables import Column, Table

TITLE = "Searches for a student"
PAIR = ("co", "post")
_WITHIN = 1.1
"""Times the least loss of all: within it a candidate counts as as good as the best."""
_SHARES = (0.25, 0.5, 1.0)
"""Of the CPU time that every search has had, where searches are compared."""
_LUTS = (500, 1_000, 2_000)
"""Within so many, at most, as well."""


def statement(repeats: Sequence[Search]) -> str:
    """Return in a few sentences whether searching layers and types at once is better.

    Args:
        repeats: searches of both strategies with several seeds.
    """
    counts = [sum(one.strategy == name for one in repeats) for name in PAIR]
    if min(counts) < 2:
        return (
            "Whether strategy=co gives better students than strategy=post is not said here: that "
            "takes searches of both with several seeds (experiment=search_repeats)."
        )
    often, best = share_of_good(repeats, PAIR), best_losses(repeats, PAIR)
    ratio, low, high = (exp(x) for x in (best.one - best.other, best.low, best.high))
    return " ".join(
        [
            f"Better students more often: {_verdict(often)} Of the candidates trained in full, "
            f"{often.one:.0%} of co and {often.other:.0%} of post are better than the median of "
            f"both (difference {often.one - often.other:+.2f}, 95% {often.low:+.2f} to "
            f"{often.high:+.2f}, p = {often.p:.2g}).",
            f"The same best one: the least validation loss of co is {ratio:.2f} times that of post "
            f"(95% {low:.2f} to {high:.2f}, p = {best.p:.2g}), which is "
            f"{'a' if best.is_significant else 'no significant'} difference.",
            f"From {counts[0]} and {counts[1]} searches with seeds of their own: intervals from "
            "resampled searches, p from all ways to say which search was which.",
        ]
    )


def _verdict(found: Contrast) -> str:
    if not found.is_significant:
        return "not shown."
    return "yes, co." if found.one > found.other else "no, post."


def tables(searches: Sequence[Search], repeats: Sequence[Search]) -> list[Table]:
    """Return the tables of the page.

    Args:
        searches: the largest of each strategy.
        repeats: short ones with several seeds.
    """
    found = [_students(searches), *_distances(searches)]
    found.append(_compute("Equal compute", searches))
    if repeats:
        found.append(_compute("Equal compute, short searches", repeats))
    return found


def _students(searches: Sequence[Search]) -> Table:
    signals = sorted({name for one in searches for name in one.aucs})
    least = min(float(one.loss.min()) for one in searches)
    rows = []
    for one in searches:
        good = one.luts[one.loss <= _WITHIN * least]
        rows.append(
            [
                one.strategy,
                str(one.candidates),
                str(len(one.loss)),
                f"{one.cpu_s:,.0f}",
                f"{one.loss[one.best]:.4g}",
                f"{one.luts[one.best]:,.0f}",
                f"{good.min():,.0f}" if len(good) else "–",
                *(f"{one.aucs[name][one.best]:.3f}" for name in signals),
            ]
        )
    heads = (
        "candidates",
        "in full",
        "CPU [s]",
        "least validation loss",
        "its LUT (estimate)",
        "least LUT within 10%",
    )
    return Table(
        title="What each search found",
        lead="The candidate with the least validation loss, its AUC by signal, and the cheapest "
        "whose loss is within 10% of the least of all searches.",
        columns=[
            Column(name="strategy"),
            *(Column(name=head, numeric=True) for head in heads),
            *(Column(name=f"AUC, {name}", numeric=True) for name in signals),
        ],
        rows=rows,
    )


def _distances(searches: Sequence[Search]) -> list[Table]:
    samples = [*searches[0].distances]
    rows = [
        [
            one.strategy,
            *(
                f"{np.quantile(one.distances[name], 0.1):.3g} / "
                f"{np.median(one.distances[name]):.3g} / {one.distances[name][one.best]:.3g}"
                for name in samples
            ),
        ]
        for one in searches
    ]
    return [
        Table(
            title="MSE to the teacher",
            lead="Of the candidates trained in full: tenth percentile / median / the one with the "
            "least validation loss.",
            columns=[Column(name="strategy"), *(Column(name=n, numeric=True) for n in samples)],
            rows=rows,
        )
    ]


def _compute(title: str, searches: Sequence[Search]) -> Table:
    """Return what searches had reached when the one that took least was over, and in the end."""
    budget = min(one.cpu_s for one in searches)
    strategies = list(dict.fromkeys(one.strategy for one in searches))
    rows = []
    for name in strategies:
        own = [one for one in searches if one.strategy == name]
        rows.append(
            [
                name,
                str(len(own)),
                f"{np.mean([one.candidates for one in own]):.0f}",
                f"{np.mean([one.cpu_s for one in own]):,.0f}",
                *(_reached(own, share * budget) for share in _SHARES),
                _reached(own, inf),
                *(_reached(own, budget, luts) for luts in _LUTS),
            ]
        )
    return Table(
        title=title,
        lead="Least validation loss after the same CPU time of the workers, mean ± standard "
        "deviation over the seeds, of all candidates and, after the last of these times, of those "
        "within so many LUTs by estimate. Training finalists anew is not counted; candidates of "
        "hgq are snapshots, whose weights have not come to rest. The times are as measured, on a "
        "machine that did other work.",
        columns=[
            Column(name="strategy"),
            *(Column(name=n, numeric=True) for n in ("searches", "candidates", "CPU [s]")),
            *(Column(name=f"after {share * budget:,.0f} s", numeric=True) for share in _SHARES),
            Column(name="at its end", numeric=True),
            *(Column(name=f"within {luts:,} LUT", numeric=True) for luts in _LUTS),
        ],
        rows=rows,
    )


def _reached(searches: Sequence[Search], seconds: float, luts: float = inf) -> str:
    losses = [one.reached(seconds, luts) for one in searches]
    if any(map(isinf, losses)):
        return "–"
    spread = f" ± {np.std(losses, ddof=1):.2g}" if len(losses) > 1 else ""
    return f"{np.mean(losses):.4g}{spread}"


def render(
    lead: str,
    searches: Sequence[Search],
    repeats: Mapping[str, Sequence[Search]],
    pictures: Sequence[Picture],
) -> tuple[str, str]:
    """Return the page as HTML and as Markdown.

    Args:
        lead: what was run.
        searches: the largest of each strategy.
        repeats: short ones with several seeds, by what they learned from; the first are compared.
        pictures: of them.
    """
    words = [f"On {name}: {statement(some)}" for name, some in repeats.items()]
    words = words or [statement([])]
    first = next(iter(repeats.values()), [])
    return render_study(TITLE, lead, words, tables(searches, first), pictures)
