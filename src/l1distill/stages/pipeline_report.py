"""What a sweep of jobs leaves: a page, its figures as JSON, and both in its run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

from l1distill.artifacts.record import Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import read_json, write_json, write_text
from l1distill.evaluation.combinations import Trained, rank_combinations
from l1distill.evaluation.ranking import Ranking
from l1distill.evaluation.signal_differences import signal_differences
from l1distill.reporting import markdown
from l1distill.reporting.plots.cost import CostPoint, draw_cost
from l1distill.reporting.sweep_page import Row, SweepPage, render_sweep, sweep_tables
from l1distill.stages.job_names import SEED
from l1distill.stages.pipeline_job import FOLDERS, RESULT, JobResult
from l1distill.stages.pipeline_scores import BLIND, read_scores
from l1distill.tracking.descriptions import LONGEST, NOTE
from l1distill.tracking.runs import Run

FILE = "comparison.json"
"""Figures of all jobs and their ranking."""
AUC = "auc/"


def write_report(
    results: Sequence[JobResult],
    folder: Path,
    swept: str,
    run: Run,
    combination: Callable[[Mapping[str, str]], str],
) -> None:
    """Write the page, the picture and the figures of a sweep, and log them to its run.

    Jobs of earlier sweeps into the same folder stay on the page where they used the same data.
    Where all jobs failed an earlier page stays as it is.

    Args:
        results: of all jobs, in the order of the sweep.
        folder: of the sweep.
        swept: the overrides of the command line.
        run: of the sweep.
        combination: returns what jobs share that differ in the seed only.
    """
    done = [result for result in results if not result.error]
    run.log_metrics(_counts(results))
    if not done and (folder / "index.html").is_file():
        return  # what is there tells more
    earlier, left_out = _earlier(results, done, folder)
    said = f"{len(results)} jobs of l1distill pipeline {swept}, {len(done)} of them whole."
    if earlier:
        said += f" {len(earlier)} more are of earlier sweeps into this folder."
    if left_out:
        said += f" {left_out} of earlier sweeps are left out: they are of other data."
    results = [*earlier, *results]
    done = [result for result in results if not result.error]
    rows = [
        Row(
            job=result.name,
            combination=combination(result.varied) or result.name,
            metrics=result.metrics,
            gates=f"failed: {result.error}" if result.error else result.gates,
            seed=result.varied.get(SEED, ""),
        )
        for result in results
    ]
    ranking = _rank(done, combination)
    points = [
        CostPoint(
            label=row.combination,
            lut=row.metrics["firmware/lut"],
            latency_ns=row.metrics["firmware/latency_ns"],
            auc=_aucs(row.metrics),
        )
        for row in rows
        if {"firmware/lut", "firmware/latency_ns"} <= row.metrics.keys() and _aucs(row.metrics)
    ]
    pictures = [draw_cost(points, folder)] if points else []
    page = SweepPage(
        title=f"Sweep: {folder.name}",
        lead=said,
        rows=rows,
        ranking=ranking,
        pictures=pictures,
    )
    html, text = render_sweep(page)
    write_text(folder / "index.html", html)
    write_text(folder / "comparison.md", text)
    write_json(folder / FILE, _content(results, ranking))
    run.log_files(folder, ["index.html", "comparison.md", FILE, "plots/cost.png"])
    run.log_metrics(_metrics(ranking))
    words = [] if ranking is None else list(ranking.words)
    parts = [page.lead, *words, *(markdown.section(one) for one in sweep_tables(rows, ranking))]
    cut = "All jobs stand in the artifact index.html."
    run.set_tags({NOTE: markdown.join_within(parts, LONGEST, cut)})


def _earlier(
    results: Sequence[JobResult], done: Sequence[JobResult], folder: Path
) -> tuple[list[JobResult], int]:
    """Return the whole jobs of earlier sweeps into a folder, and how many are left out.

    Left out are those whose data set is none of this sweep's: their figures are not comparable.
    """
    names = {result.name for result in results}
    data = {_dataset(result) for result in done}
    found = []
    for path in sorted(folder.glob(f"*/{RESULT}")):
        if path.parent.name in names:
            continue
        with suppress(DataError, KeyError, TypeError):
            content = read_json(path)
            content.pop("promotion")
            found.append(JobResult(**{**content, "folder": str(path.parent)}))
    same = [job for job in found if not data or _dataset(job) in data]
    return same, len(found) - len(same)


def _dataset(job: JobResult) -> str:
    try:
        return Record.read(Path(job.folder) / FOLDERS["student"]).dataset_md5
    except DataError:
        return ""


def _aucs(metrics: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {
        name.removeprefix(AUC): (value, metrics.get(f"auc_error/{name.removeprefix(AUC)}", 0.0))
        for name, value in metrics.items()
        if name.startswith(AUC)
    }


def _rank(
    done: Sequence[JobResult], combination: Callable[[Mapping[str, str]], str]
) -> Ranking | None:
    """Rank the combinations; None without scores, or where jobs have other test events."""
    jobs, backgrounds, data = [], set(), set()
    for result in done:
        folder = Path(result.folder)
        scores = read_scores(folder)
        if len(scores) < 2:
            return None
        backgrounds.add(next(iter(scores)))  # the training sample comes first
        data.add(Record.read(folder / FOLDERS["student"]).dataset_md5)
        jobs.append(
            Trained(
                combination=combination(result.varied) or result.name,
                seed=result.varied.get(SEED, ""),
                scores=scores,
                lut=result.metrics["firmware/lut"],
                blind=result.metrics.get(BLIND, float("nan")),
                refused=bool(result.refused_by),
            )
        )
    if len(jobs) < 2 or len(backgrounds) > 1 or len(data) > 1:
        return None
    background = backgrounds.pop()
    ranking = rank_combinations(jobs, background)
    failed = {(row.combination, seed) for row in ranking.rows for seed in row.failed}
    return replace(ranking, differences=signal_differences(jobs, background, failed))


def _content(results: Sequence[JobResult], ranking: Ranking | None) -> dict[str, Any]:
    """Return what the JSON file holds: the same jobs give the same bytes on every machine."""
    jobs = [
        {
            "job": result.name,
            "varied": dict(result.varied),
            "error": result.error,
            "refused_by": list(result.refused_by),
            "metrics": {k: v for k, v in sorted(result.metrics.items()) if isfinite(v)},
        }
        for result in results
    ]
    rows = [] if ranking is None else [_finite(asdict(row)) for row in ranking.rows]
    return {
        "jobs": jobs,
        "ranking": rows,
        "use": "" if ranking is None else ranking.use,
        "use_without_signals": "" if ranking is None else ranking.blind,
        "words": [] if ranking is None else list(ranking.words),
    }


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in values.items()}


def _counts(results: Sequence[JobResult]) -> dict[str, float]:
    """Return how many jobs a sweep had, and what became of them."""
    return {
        "jobs": float(len(results)),
        "jobs_failed": float(sum(bool(result.error) for result in results)),
        "jobs_refused_by_gates": float(sum(bool(result.refused_by) for result in results)),
    }


def _metrics(ranking: Ranking | None) -> dict[str, float]:
    """Return the figures of the combinations that the sweep's own run is known by."""
    metrics = dict[str, float]()
    for row in () if ranking is None else ranking.rows:
        metrics[f"combination/{_metric(row.combination)}/auc_mean"] = row.auc
        metrics[f"combination/{_metric(row.combination)}/behind_best"] = row.behind
        metrics[f"combination/{_metric(row.combination)}/behind_best_error"] = row.behind_error
        metrics[f"combination/{_metric(row.combination)}/lut"] = row.lut
        metrics[f"combination/{_metric(row.combination)}/failed_seeds"] = float(len(row.failed))
    return metrics


def _metric(name: str) -> str:
    """Return a name as MLflow takes it in the name of a metric."""
    return name.replace("=", " ").replace(",", " ").replace("+", " ")
