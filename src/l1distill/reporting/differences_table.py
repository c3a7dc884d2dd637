"""The tables of a sweep that set each combination beside the first one, paired by seed."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from l1distill.evaluation.ranking import SignalDifference
from l1distill.evaluation.seeds import spread_over_seeds
from l1distill.reporting.tables import Column, Table


def differences_table(
    differences: Mapping[str, Mapping[str, SignalDifference]], first: str
) -> Table | None:
    """Return the table; None where there is nothing to compare.

    Args:
        differences: by combination and signal.
        first: the combination that the others are compared with.
    """
    if not differences:
        return None
    signals = list(next(iter(differences.values())))
    return Table(
        title=f"AUC less that of {first}",
        lead="Of each signal, mean over the seeds that both have ± its standard error: of the test "
        "events, which all share (DeLong), and of the seeds (the spread of the differences of one "
        "seed, with Student's t).",
        columns=[
            Column(name="combination"),
            Column(name="seeds", numeric=True),
            *(Column(name=signal, numeric=True) for signal in signals),
        ],
        rows=[
            [
                name,
                str(next(iter(of.values())).seeds),
                *(f"{of[signal].auc:+.4f} ± {of[signal].error:.4f}" for signal in signals),
            ]
            for name, of in differences.items()
        ],
    )


def seed_differences_table(
    jobs: Mapping[str, Mapping[str, Mapping[str, float]]], columns: Sequence[tuple[str, str, str]]
) -> Table | None:
    """Return the differences of jobs with the same seed to those of the first combination.

    Args:
        jobs: the metrics of each, by combination and seed.
        columns: heading, metric and format of each figure.

    Returns:
        The table, without combinations that share no seed with the first and figures that are not
        in two jobs of one seed; None where nothing is left.
    """
    first, *others = jobs or {"": {}}
    found: dict[str, dict[str, list[float]]] = {}
    for name in others:
        for seed, metrics in jobs[name].items():
            beside = jobs[first].get(seed, {})
            for _, metric, _ in columns:
                if metric in metrics and metric in beside:
                    differences = found.setdefault(name, {}).setdefault(metric, [])
                    differences.append(metrics[metric] - beside[metric])
    shown = [column for column in columns if any(column[1] in of for of in found.values())]
    if not shown:
        return None
    return Table(
        title=f"Less {first}, seed by seed",
        lead="Mean of the differences of students with the same seed, and its standard error: of "
        "the seeds, over which it is taken, and not of the test events, which all share.",
        columns=[
            Column(name="combination"),
            Column(name="seeds", numeric=True),
            *(Column(name=heading, numeric=True) for heading, _, _ in shown),
        ],
        rows=[
            [
                name,
                str(max(map(len, of.values()))),
                *(_mean(of.get(metric, []), spec) for _, metric, spec in shown),
            ]
            for name, of in found.items()
        ],
    )


def _mean(differences: Sequence[float], spec: str) -> str:
    if not differences:
        return "–"
    mean, error = fmean(differences), spread_over_seeds(differences) / math.sqrt(len(differences))
    if spec == ".0f" and abs(mean) < 10:  # a few cycles
        spec = ".1f"
    return f"{mean:+z{spec}} ± {'?' if math.isnan(error) else f'{error:{spec}}'}"
