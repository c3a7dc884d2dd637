"""How much of a search is done and how much is left, in epochs that candidates are trained for."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from l1distill.search.records import Outcome, Task
from l1distill.search.settings import SearchSettings


def epochs_of(outcomes: Sequence[Outcome]) -> dict[int, int]:
    """Return the epochs that each candidate was trained for until now, by its number."""
    epochs: dict[int, int] = {}
    for one in outcomes:
        epochs[one.number] = max(one.epochs, epochs.get(one.number, 0))
    return epochs


def epochs_expected(
    settings: SearchSettings, candidates: int, outcomes: Sequence[Outcome]
) -> float:
    """Return the epochs of a whole search.

    A candidate is expected to be trained for as many as those of the generations before the last
    one; where there is none, for as many as if one of ``factor`` went on behind each rung.

    Args:
        settings: of the search.
        candidates: of the whole search.
        outcomes: until now.
    """
    done = epochs_of(outcomes)
    of_last = max(done, default=0) // settings.generation * settings.generation
    settled = [epochs for number, epochs in done.items() if number < of_last]
    until = [0, *settings.until]
    by_rule = sum(
        (end - start) / settings.factor**rung for rung, (start, end) in enumerate(pairwise(until))
    )
    each = fmean(settled) if settled else by_rule
    return max(candidates * each, float(sum(done.values())))


def epochs_per_cpu_s(tasks: Sequence[Task], outcomes: Sequence[Outcome]) -> float | None:
    """Return the epochs that a worker did in a second of CPU time; None before any are done."""
    seconds = sum(task.cpu_s for task in tasks if task.done)
    done = sum(epochs_of(outcomes).values())
    return done / seconds if seconds > 0 and done else None
