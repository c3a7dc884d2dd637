"""Logged teachers and students of pileup, and what several seeds say of a resolution."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from l1distill.artifacts.runs import LoggedRun, RunFinder
from l1distill.core.errors import DataError
from l1distill.evaluation.seeds import spread_over_seeds
from l1distill.tasks.pileup.evaluation import STUDENT, TEACHER

FLOAT, FIXED = "student", "8-bit student"
PUBLISHED_RATIOS: Mapping[str, Mapping[str, str]] = {
    "ptmiss": {TEACHER: "0.90", FLOAT: "0.93 to 0.94"},
    "jet_pt": {TEACHER: "0.82", FLOAT: "0.88"},
}
"""Resolutions over PUPPI's (Bal et al. 2024, section 3)."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The runs of a model, one for each seed, in ascending order of the seeds.

    Attributes:
        title: what tables call it.
        name: what its metrics call it, ``teacher`` or ``student``.
        runs: at least one.
    """

    title: str
    name: str
    runs: Sequence[LoggedRun]

    def values(self, metric: str) -> dict[str, float]:
        """Return a metric by seed, of those that have it."""
        return {
            run.parameters["seed"]: run.metrics[metric]
            for run in self.runs
            if metric in run.metrics
        }

    def mean(self, metric: str) -> float:
        """Return the mean over seeds; NaN without any."""
        found = self.values(metric)
        return fmean(found.values()) if found else math.nan

    def spread(self, metric: str) -> float:
        """Return the standard deviation over seeds; NaN of fewer than two."""
        return spread_over_seeds(self.values(metric).values())


def gather(runs: RunFinder, experiments: Mapping[str, str], dataset_md5: str) -> Sequence[Model]:
    """Find teachers and students, the newest of each seed.

    Args:
        runs: finds logged runs.
        experiments: ``graphs``, ``floats`` and ``fixed`` to the experiments whose runs count.
        dataset_md5: that they are about.

    Raises:
        DataError: there is no teacher.
    """
    kinds = (
        (TEACHER, TEACHER, "teacher", experiments["graphs"]),
        (FLOAT, STUDENT, "student", experiments["floats"]),
        (FIXED, STUDENT, "student", experiments["fixed"]),
    )
    models = []
    for title, name, stage, experiment in kinds:
        found = _newest(runs.find(stage, experiment, dataset_md5))
        if found:
            models.append(Model(title=title, name=name, runs=found))
    if not models or models[0].name != TEACHER:
        raise DataError(
            f"no finished teacher of experiment={experiments['graphs']} on data set "
            f"{dataset_md5} in the store; begin with l1distill teacher task=pileup "
            f"experiment={experiments['graphs']}"
        )
    return models


def _newest(runs: Iterable[LoggedRun]) -> list[LoggedRun]:
    """Return the first run of each seed, by ascending seed."""
    by_seed: dict[int, LoggedRun] = {}
    for run in runs:
        by_seed.setdefault(int(run.parameters["seed"]), run)
    return [by_seed[seed] for seed in sorted(by_seed)]


def ratio_of_seeds(ours: Model, theirs: Model, metric: str, other: str) -> tuple[float, float]:
    """Return mean and standard deviation of the ratios of two models with the same seed."""
    one, two = ours.values(metric), theirs.values(other)
    ratios = [one[seed] / two[seed] for seed in one if seed in two]
    return (fmean(ratios) if ratios else math.nan), spread_over_seeds(ratios)
