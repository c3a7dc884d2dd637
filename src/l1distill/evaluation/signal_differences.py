"""Differences of combinations to the first one, signal by signal, paired by event and seed."""

import math
from collections.abc import Collection, Sequence

from l1distill.evaluation.combinations import Parts, Trained, error_of_mean, parts_of
from l1distill.evaluation.ranking import SignalDifference


def signal_differences(
    jobs: Sequence[Trained], background: str, failed: Collection[tuple[str, str]] = ()
) -> dict[str, dict[str, SignalDifference]]:
    """Compare each combination with the first, for every signal.

    Args:
        jobs: in the order of the combinations; all scored the same events.
        background: name of the sample that the others are told from.
        failed: combination and seed of jobs to leave out.

    Returns:
        By combination, without the first and those that share no seed with it, and by signal.
    """
    combinations: dict[str, dict[str, Trained]] = {}
    for job in jobs:
        of = combinations.setdefault(job.combination, {})
        if (job.combination, job.seed) not in failed:
            of[job.seed] = job
    first, *others = combinations
    found = {}
    for name in others:
        seeds = [seed for seed in combinations[name] if seed in combinations[first]]
        if seeds:
            pairs = [(combinations[name][seed], combinations[first][seed]) for seed in seeds]
            signals = [signal for signal in pairs[0][0].scores if signal != background]
            found[name] = {signal: _difference(pairs, background, signal) for signal in signals}
    return found


def _difference(
    pairs: Sequence[tuple[Trained, Trained]], background: str, signal: str
) -> SignalDifference:
    differences = [
        _parts(one, background, signal).minus(_parts(other, background, signal))
        for one, other in pairs
    ]
    mean = Parts.mean(differences)
    return SignalDifference(
        auc=mean.auc,
        error=math.hypot(mean.error(), error_of_mean([one.auc for one in differences])),
        seeds=len(differences),
    )


def _parts(job: Trained, background: str, signal: str) -> Parts:
    return parts_of({name: job.scores[name] for name in (background, signal)}, background)
