"""The page of a sweep of whole jobs: which to use, a table of all, and what each costs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev

from l1distill.evaluation.metric_names import with_suffix
from l1distill.evaluation.ranking import Ranked, Ranking
from l1distill.reporting.beside_teacher import beside_teacher
from l1distill.reporting.differences_table import differences_table, seed_differences_table
from l1distill.reporting.pictures import Picture
from l1distill.reporting.study_page import render_study
from l1distill.reporting.tables import Column, Table


@dataclass(frozen=True, kw_only=True)
class Row:
    """A job in the table.

    Attributes:
        job: its name.
        combination: what it shares with jobs that differ in the seed only.
        metrics: of student, firmware and gates.
        gates: their verdict, or why the job failed.
        seed: that it was trained with.
    """

    job: str
    combination: str
    metrics: Mapping[str, float]
    gates: str
    seed: str = ""


@dataclass(frozen=True, kw_only=True)
class SweepPage:
    """Everything the page shows.

    Attributes:
        title: heading.
        lead: what was run.
        rows: of all jobs.
        ranking: of their combinations; None where there is nothing to rank.
        pictures: of all jobs.
    """

    title: str
    lead: str
    rows: Sequence[Row]
    ranking: Ranking | None
    pictures: Sequence[Picture]


FIGURES = (
    ("AUC", "auc", ".4f"),
    ("LUT (yosys)", "firmware/lut", ".0f"),
    ("latency [cycles]", "firmware/latency_cycles", ".0f"),
    ("latency [ns]", "firmware/latency_ns", ".1f"),
    ("II", "firmware/ii_cycles", ".0f"),
    ("MSE, background", "mse_to_teacher/background", ".3g"),
)
"""Columns of figures that no signal has of its own: heading, metric, format."""
CHANCE = "no better than chance"
"""What the page says of a seed that failed."""
PHYSICS = (
    ("AUC", "auc/"),
    ("TPR at FPR 1e-2", "tpr_fpr1e-2/"),
    ("agreement at FPR 1e-2", "agreement_fpr1e-2/"),
)
"""Columns for each signal: heading, beginning of the metric."""


def render_sweep(page: SweepPage) -> tuple[str, str]:
    """Return the page as HTML and as Markdown."""
    words = [] if page.ranking is None else list(page.ranking.words)
    tables = sweep_tables(page.rows, page.ranking)
    return render_study(page.title, page.lead, words, tables, page.pictures)


def sweep_tables(rows: Sequence[Row], ranking: Ranking | None) -> list[Table]:
    """Return the ranking, students beside their teacher, means over seeds, and all jobs."""
    tables = [] if ranking is None else [_ranking(ranking)]
    failed = {
        (row.combination, seed)
        for row in (() if ranking is None else ranking.rows)
        for seed in row.failed
    }
    several: dict[str, list[Row]] = {}
    paired = None if ranking is None else _paired(rows, ranking)
    for row in rows:
        if row.metrics:
            several.setdefault(row.combination, []).append(row)
    tables += [
        table
        for table in (paired, _seed_by_seed(several, failed, without_auc=paired is not None))
        if table is not None
    ]
    verdicts = {name: [(row.metrics, row.gates) for row in jobs] for name, jobs in several.items()}
    if (close := beside_teacher(verdicts)) is not None:
        tables.append(close)
    if any(len(jobs) > 1 for jobs in several.values()):
        tables.append(_means(several, failed))
    return [*tables, _jobs(rows, failed)]


def _paired(rows: Sequence[Row], ranking: Ranking) -> Table | None:
    first = next((row.combination for row in rows if row.metrics), "")
    return differences_table(ranking.differences, first)


def _seed_by_seed(
    several: Mapping[str, Sequence[Row]],
    failed: Collection[tuple[str, str]],
    *,
    without_auc: bool,
) -> Table | None:
    """Return the differences to the first combination, without what another table has better."""
    left_out = {"firmware/latency_ns", "firmware/ii_cycles"}  # the cycles say the same; one of all
    columns = [
        column
        for column in _columns([row for jobs in several.values() for row in jobs])
        if column[1] not in left_out and not (without_auc and column[1].startswith("auc/"))
    ]
    jobs = {
        name: {
            row.seed: row.metrics
            for row in rows
            if row.seed and (name, row.seed) not in failed  # a sweep may have no seeds
        }
        for name, rows in several.items()
    }
    return seed_differences_table(jobs, columns)


def _signals(rows: Sequence[Row], prefix: str) -> list[str]:
    names = dict.fromkeys(
        name.removeprefix(prefix) for row in rows for name in row.metrics if name.startswith(prefix)
    )
    return [name for name in names if "/" not in name]


def _columns(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return heading, metric and format of each column of figures that some job has."""
    columns = [
        (f"{heading}, {signal}", f"{prefix}{signal}", ".4f")
        for heading, prefix in PHYSICS
        for signal in _signals(rows, prefix)
    ]
    columns += list(FIGURES)
    return [column for column in columns if any(column[1] in row.metrics for row in rows)]


def _jobs(rows: Sequence[Row], failed: Collection[tuple[str, str]]) -> Table:
    columns = _columns(rows)
    return Table(
        title="Jobs",
        lead="Behind ± stands the standard error that the test events leave.",
        columns=[
            Column(name="job"),
            *(Column(name=heading, numeric=True) for heading, _, _ in columns),
            Column(name="gates"),
        ],
        rows=[
            [
                row.job,
                *(_figure(row.metrics, metric, spec) for _, metric, spec in columns),
                f"{CHANCE}; {row.gates}" if (row.combination, row.seed) in failed else row.gates,
            ]
            for row in rows
        ],
    )


def _figure(metrics: Mapping[str, float], metric: str, spec: str) -> str:
    if metric not in metrics:
        return "–"
    text = f"{metrics[metric]:{spec}}"
    error = _error(metrics, metric)
    return text if error is None else f"{text} ± {error:{spec}}"


def _error(metrics: Mapping[str, float], metric: str) -> float | None:
    """Return the statistical error of a metric: its own, or half of its interval."""
    error = metrics.get(with_suffix(metric, "_error"))
    if error is not None:
        return error
    low, high = (metrics.get(with_suffix(metric, end)) for end in ("_low", "_high"))
    return None if low is None or high is None else (high - low) / 2


def _means(several: Mapping[str, Sequence[Row]], failed: Collection[tuple[str, str]]) -> Table:
    """Return the means over the seeds that did not fail, or over all where all did."""
    columns = _columns([row for jobs in several.values() for row in jobs])
    return Table(
        title="Means over the seeds",
        lead="Mean ± standard deviation over the seeds ± standard error of the test events, which "
        "all seeds share." + (f" Seeds that are {CHANCE} are left out." if failed else ""),
        columns=[
            Column(name="combination"),
            Column(name="seeds", numeric=True),
            *(Column(name=heading, numeric=True) for heading, _, _ in columns),
        ],
        rows=[
            [
                name,
                str(len(jobs)) if len(jobs) == len(used) else f"{len(used)} of {len(jobs)}",
                *(_mean(used, metric, spec) for _, metric, spec in columns),
            ]
            for name, jobs in several.items()
            for used in [[job for job in jobs if (name, job.seed) not in failed] or jobs]
        ],
    )


def _mean(jobs: Sequence[Row], metric: str, spec: str) -> str:
    values = [job.metrics[metric] for job in jobs if metric in job.metrics]
    if not values:
        return "–"
    parts = [f"{fmean(values):{spec}}", f"{stdev(values):{spec}}" if len(values) > 1 else "?"]
    errors = [e for job in jobs if (e := _error(job.metrics, metric)) is not None]
    if errors:
        parts.append(f"{fmean(errors):{spec}}")
    return " ± ".join(parts)


def _ranking(ranking: Ranking) -> Table:
    def number(value: float, spec: str = ".4f") -> str:
        return f"{value:{spec}}" if isfinite(value) else "–"

    failures = (
        f"A seed is {CHANCE} where its mean AUC is not above 0.5 by two standard errors of the "
        "test events: its training collapsed, as to a constant score. Figures and differences are "
        "of the other seeds, and a combination with such a seed stands behind all that have none."
    )
    names = (
        *("mean AUC", "test events ±", "seeds ±", "behind the best", "±", "LUT"),
        *("rank correlation, validation", "seeds ±"),
    )
    return Table(
        title="Ranking",
        lead="By the AUC on test events, averaged over the signals. The differences are paired: "
        "the same seeds and the same events.",
        columns=[
            Column(name="combination"),
            *(Column(name=name, numeric=True) for name in names),
            Column(name="verdict"),
        ],
        rows=[
            [
                row.combination,
                *(number(v) for v in (row.auc, row.event_error, row.seed_spread)),
                *(number(v) for v in (row.behind, row.behind_error)),
                number(row.lut, ".0f"),
                *(number(v) for v in (row.blind, row.blind_spread)),
                _verdict(row, ranking.use),
            ]
            for row in ranking.rows
        ],
        notes=[
            "Where the combinations were fixed before anything was trained, and none was tuned on "
            "signals, each row is an unbiased benchmark. The choice among them does look at the "
            "signals of the benchmark, and the best of several is flattered by its luck. The rank "
            "correlation of student and teacher on the validation split of the background is what "
            "a search without any signal could choose by; students that were trained with a "
            "teacher of their own are compared with the recorded one there, too.",
            "The error of a difference holds the test events (DeLong) and the seeds (the spread of "
            "the differences, with Student's t).",
            *([failures] if any(row.failed for row in ranking.rows) else []),
        ],
    )


def _verdict(row: Ranked, use: str) -> str:
    parts = []
    if row.failed:
        parts.append(f"{len(row.failed)} of {row.trained} seeds {CHANCE}")
    if row.combination == use:
        parts.append("use this one")
    elif not row.failed:
        parts.append("not told from the best" if row.is_best else "worse")
    return "; ".join(parts)
