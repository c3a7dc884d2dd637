"""Searches compared: how good the candidates of each are, the best ones, and what they cost."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.equivalence import LEVEL, bootstrap_difference, permutation_p

LAST_PHASES = ("both", "quantization")
"""Phases whose candidates may become students."""
CPU_S = "cpu_s"
"""Column of the CPU time until then [s]."""
_DISTANCE, _AUC = "mse_to_teacher/", "auc/"
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What came out of a search.

    Attributes:
        strategy: of the search.
        seed: of the search.
        candidates: that were trained, in full or until they were stopped.
        cpu_s: CPU time of all of them [s].
        loss: validation loss of those that were trained in full.
        luts: estimated LUTs of these.
        reached_at: CPU time of the search after which each of these was there [s]; NaN where its
            tables, of an older version, do not say.
        distances: their mean squared distance to the teacher, by sample.
        aucs: their AUC, by signal; empty where answers are no scores.
        progress: CPU time [s] and least validation loss after each task, (n,) each; the loss is
            infinite before the first is trained in full.
    """

    strategy: str
    seed: int
    candidates: int
    cpu_s: float
    loss: Array
    luts: Array
    reached_at: Array
    distances: Mapping[str, Array]
    aucs: Mapping[str, Array]
    progress: tuple[Array, Array]

    @property
    def best(self) -> int:
        """Place of the candidate with the least validation loss."""
        return int(np.argmin(self.loss))

    def reached(self, cpu_s: float, luts: float = float("inf")) -> float:
        """Return the least validation loss after so much CPU time; infinite before any.

        Args:
            cpu_s: CPU time [s].
            luts: of candidates with so many estimated LUTs at most.
        """
        if np.isfinite(luts):
            good = self.loss[(self.reached_at <= cpu_s) & (self.luts <= luts)]
            return float(good.min()) if len(good) else float("inf")
        seconds, losses = self.progress
        place = int(np.searchsorted(seconds, cpu_s, side="right")) - 1
        return float(losses[place]) if place >= 0 else float("inf")


def read_search(folder: Path, strategy: str, seed: int) -> Search:
    """Read a search from ``candidates.csv`` in a folder, and ``progress.csv`` beside it.

    The candidates of one training that walks the front have no states and no such file: their own
    rows say when each was reached.

    Raises:
        OSError: a table is not there.
        KeyError: it lacks a column.
        ValueError: no candidate was trained in full.
    """
    candidates = _rows(folder / "candidates.csv")
    if candidates and "state" not in candidates[0]:
        good, progress = candidates, _best_so_far(candidates)
    else:
        progress = _rows(folder / "progress.csv")
        good = [
            row for row in candidates if row["state"] == "finished" and row["phase"] in LAST_PHASES
        ]
    if not good:
        raise ValueError(f"{folder}: no candidate was trained in full")

    def column(name: str) -> Array:
        return np.array([float(row[name]) for row in good])

    def columns(prefix: str) -> dict[str, Array]:
        return {n.removeprefix(prefix): column(n) for n in good[0] if n.startswith(prefix)}

    seconds = np.array([float(row[CPU_S]) for row in progress])
    losses = [float(row["best_validation_loss"] or "inf") for row in progress]
    return Search(
        strategy=strategy,
        seed=seed,
        candidates=sum(row.get("state") != "waiting" for row in candidates),
        cpu_s=float(seconds[-1]),
        loss=column("loss"),
        luts=column("lut_estimate"),
        reached_at=column(CPU_S) if CPU_S in good[0] else np.full(len(good), np.nan),
        distances={
            n.removeprefix(_DISTANCE): column(n) for n in good[0] if n.startswith(_DISTANCE)
        },
        aucs={n.removeprefix(_AUC): column(n) for n in good[0] if n.startswith(_AUC)},
        progress=(seconds, np.array(losses)),
    )


def _best_so_far(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    losses = np.minimum.accumulate([float(row["loss"]) for row in rows])
    return [
        {CPU_S: row[CPU_S], "best_validation_loss": str(loss)}
        for row, loss in zip(rows, losses, strict=True)
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One strategy against another in a number of each search.

    Attributes:
        one: mean over the searches of one strategy.
        other: of the other.
        low: lower end of the interval of 95% of the difference, from resampled searches.
        high: its upper end.
        p: that a difference so large comes about by chance, from permuted searches.
        searches: of either.
    """

    one: float
    other: float
    low: float
    high: float
    p: float
    searches: tuple[int, int]

    @property
    def is_significant(self) -> bool:
        """Whether chance is an unlikely reason."""
        return self.p < LEVEL


def contrast(one: Sequence[float], other: Sequence[float]) -> Contrast:
    """Compare a number of searches of one strategy with that of another's."""
    low, high = bootstrap_difference(one, other)
    return Contrast(
        one=float(np.mean(one)),
        other=float(np.mean(other)),
        low=low,
        high=high,
        p=permutation_p(one, other),
        searches=(len(one), len(other)),
    )


def share_of_good(searches: Sequence[Search], strategies: tuple[str, str]) -> Contrast:
    """Compare how often a candidate of two strategies is better than the median of all.

    Candidates are those trained in full; the median is that of all searches of both strategies,
    each of which counts the same.

    Args:
        searches: repeated, of these strategies and others.
        strategies: the one, and the other.
    """
    both = [one for one in searches if one.strategy in strategies]
    edge = _weighted_median([one.loss for one in both])
    shares = [[float((s.loss < edge).mean()) for s in both if s.strategy == n] for n in strategies]
    return contrast(*shares)


def best_losses(searches: Sequence[Search], strategies: tuple[str, str]) -> Contrast:
    """Compare the logarithm of the least validation loss of searches of two strategies."""
    logs = [
        [float(np.log(s.loss.min())) for s in searches if s.strategy == name] for name in strategies
    ]
    return contrast(*logs)


def _weighted_median(groups: Sequence[Array]) -> float:
    values = np.concatenate(groups)
    weights = np.concatenate([np.full(len(one), 1.0 / len(one)) for one in groups])
    order = np.argsort(values)
    part = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(part, 0.5)])
