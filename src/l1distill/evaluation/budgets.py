"""Networks that were left with few nodes or features: means over seeds, and what must hold.

A budget is how many nodes, or features, a training was asked to leave. Its runs differ in the seed
only, are trained with epochs that the validation split chooses, and are tested on the same items.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from l1distill.evaluation.seeds import spread_over_seeds

Unit = Literal["nodes", "features"]
TOLERANCE = 0.001
"""By how much a larger budget may do worse and still count as no worse."""
METHODS = {
    "fisher": "autopruner",
    "straight_through": "autopruner, trained scores",
    "sigmoid": "sigmoid gates",
    "hard_concrete": "hard concrete gates",
    "magnitude": "magnitude, cut and fine-tuned",
    "random": "at random, cut and fine-tuned",
    "permutation": "permutation importance",
    "from_scratch": "from scratch",
}
"""What decides, in words, in the order of the tables."""
TAUGHT = ", distilled: "
"""Stands between the method and what was learned of a teacher; of labels alone neither is told."""


@dataclass(frozen=True, kw_only=True)
class BudgetRun:
    """A network that was trained down to a budget.

    Attributes:
        method: what decided, in words.
        asked: nodes, or features, that were to be left.
        used: that are left.
        before: that there were.
        seed: of the training.
        value: how well it does on the test items; the larger the better.
        error: standard error of it, from the number of test items.
        layers: nodes of each layer that are left.
        kept: names of the features that are left.
    """

    method: str
    asked: int
    used: int
    before: int
    seed: str
    value: float
    error: float
    layers: Mapping[str, int]
    kept: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class BudgetPoint:
    """The runs of a method with one budget.

    Attributes:
        method: what decided.
        asked: the budget.
        before: how many there were.
        runs: one for each seed.
    """

    method: str
    asked: int
    before: int
    runs: Sequence[BudgetRun]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return fmean(run.value for run in self.runs)

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; NaN with one."""
        return spread_over_seeds([run.value for run in self.runs])

    @property
    def error(self) -> float:
        """Standard error that the test items leave, which all seeds share."""
        return fmean(run.error for run in self.runs)

    def layers(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation of the nodes of each layer."""
        names = list(self.runs[0].layers)
        numbers = {name: [run.layers.get(name, 0) for run in self.runs] for name in names}
        return {name: (fmean(found), spread_over_seeds(found)) for name, found in numbers.items()}

    def alike(self) -> float:
        """Return the mean Jaccard index of the features of any two seeds; NaN with one."""
        pairs = itertools.combinations([set(run.kept) for run in self.runs], 2)
        shares = [len(one & other) / len(one | other) for one, other in pairs if one | other]
        return fmean(shares) if shares else math.nan

    def often(self) -> list[tuple[str, int]]:
        """Return the features that some seed kept, and how many did, the most frequent first."""
        counted = Counter(name for run in self.runs for name in run.kept)
        return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better one method does than another with one budget, paired by seed.

    Attributes:
        asked: the budget.
        mean: of the differences.
        error: standard error of that mean, from the seeds; NaN with one.
        seeds: that both have.
    """

    asked: int
    mean: float
    error: float
    seeds: int


def run_of(
    unit: Unit, metric: str, parameters: Mapping[str, str], metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> BudgetRun | None:  # fmt: skip
    """Return what a logged student says of a budget; None where it had none of this unit.

    Args:
        unit: ``nodes`` or ``features``.
        metric: how well it does.
        parameters: logged ones.
        metrics: likewise.
        tags: likewise.
    """
    other = "features" if unit == "nodes" else "nodes"
    if f"{unit}_asked" not in metrics or metric not in metrics:
        return None
    if metrics.get(f"{other}_asked") != metrics.get(f"{other}_before"):
        return None  # of both kinds at once
    score = parameters["compression.score" if unit == "nodes" else "compression.feature_score"]
    method = METHODS.get(score, score)
    if unit == "nodes" and parameters.get("compression.scope") == "layer":
        method += ", by layer"
    method += _taught(parameters)
    prefix = "nodes_used/"
    return BudgetRun(
        method=method,
        asked=round(metrics[f"{unit}_asked"]),
        used=round(metrics[f"{unit}_used"]),
        before=round(metrics[f"{unit}_before"]),
        seed=parameters["seed"],
        value=metrics[metric],
        error=metrics.get(f"{metric}_error", math.nan),
        layers={
            name.removeprefix(prefix): round(number)
            for name, number in metrics.items()
            if name.startswith(prefix)
        },
        kept=json.loads(tags.get("features_kept", "[]")),
    )


def _taught(parameters: Mapping[str, str]) -> str:
    """Return what a student learned of its teacher, to stand behind the method, or nothing."""
    weights = {
        kind: float(parameters.get(f"distillation.{kind}.weight", 0.0))
        for kind in ("response", "feature", "relation", "reconstruction")
    }
    kinds = [kind for kind, weight in weights.items() if weight]
    if not kinds:
        return ""
    labels = " and labels" if float(parameters.get("distillation.beta", 0.0)) else ""
    return f"{TAUGHT}{' + '.join(kinds)}{labels}"


def points(runs: Iterable[BudgetRun]) -> list[BudgetPoint]:
    """Gather runs by method and budget; of two of one seed the first counts.

    Args:
        runs: the newest first.
    """
    cells: dict[tuple[str, int], dict[str, BudgetRun]] = {}
    for run in runs:
        cells.setdefault((run.method, run.asked), {}).setdefault(run.seed, run)
    order = [*METHODS.values()]

    def place(key: tuple[str, int]) -> tuple[int, str, int]:
        at = next((n for n, name in enumerate(order) if key[0].split(",")[0] == name), len(order))
        return at, key[0], key[1]

    return [
        BudgetPoint(
            method=method,
            asked=asked,
            before=next(iter(of.values())).before,
            runs=[of[seed] for seed in sorted(of, key=lambda seed: (len(seed), seed))],
        )
        for (method, asked), of in sorted(cells.items(), key=lambda item: place(item[0]))
    ]


def off_budget(found: Iterable[BudgetPoint]) -> list[BudgetRun]:
    """Return the runs that are left with more or fewer than was asked for."""
    return [run for point in found for run in point.runs if run.used != run.asked]


def largest_drop(found: Iterable[BudgetPoint], method: str) -> float:
    """Return by how much the mean of a method falls at most where its budget grows."""
    best, drop = -math.inf, 0.0
    for point in sorted(of_method(found, method), key=lambda one: one.asked):
        drop = max(drop, best - point.mean)
        best = max(best, point.mean)
    return drop


def of_method(found: Iterable[BudgetPoint], method: str) -> list[BudgetPoint]:
    """Return the points of a method."""
    return [point for point in found if point.method == method]


def differences(found: Sequence[BudgetPoint], one: str, other: str) -> list[Difference]:
    """Return how much better a method does than another, for each budget that both have."""
    beside = {
        point.asked: {run.seed: run.value for run in point.runs}
        for point in of_method(found, other)
    }
    result = []
    for point in of_method(found, one):
        values = beside.get(point.asked, {})
        both = [run.value - values[run.seed] for run in point.runs if run.seed in values]
        if both:
            error = spread_over_seeds(both) / math.sqrt(len(both))
            result.append(
                Difference(asked=point.asked, mean=fmean(both), error=error, seeds=len(both))
            )
    return result
