"""Describe a sweep by a table of its jobs, with what came out of each."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from l1distill.evaluation.budgets import Unit, points, run_of
from l1distill.reporting import markdown
from l1distill.reporting.budget_page import BudgetPart, budget_tables
from l1distill.reporting.tables import Column, Table
from l1distill.tracking.descriptions import HEADLINE, LONGEST, with_interval
from l1distill.tracking.links import run_link
from l1distill.tracking.run_names import LONGEST as LONGEST_NAME
from l1distill.tracking.runs import PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROWS = 30
"""Jobs that the table shows; all of them stand below the sweep in the list of runs."""


def sweep_name(stage: str, overrides: Sequence[str]) -> str:
    """Return the name of a sweep's run: what was swept.

    Args:
        stage: whose jobs they are.
        overrides: of the command line.
    """
    keys = [override.lstrip("+~").partition("=") for override in overrides]
    words = [f"{key.rpartition('.')[2]} {value}" for key, _, value in keys]
    return f"{stage} sweep {', '.join(words)}"[:LONGEST_NAME]


def describe_sweep(client: "MlflowClient", run_id: str, stage: str, swept: str) -> str:
    """Return the description of a sweep's run: what was swept, and its jobs.

    Args:
        client: of the store.
        run_id: of the sweep.
        stage: whose jobs they are.
        swept: the overrides of the command line.
    """
    experiment = client.get_run(run_id).info.experiment_id
    jobs = list(
        client.search_runs(
            [experiment],
            f"tags.`{PARENT}` = '{run_id}'",
            order_by=["attributes.start_time ASC"],
            max_results=1000,
        )
    )
    names = next((_headline(job) for job in jobs if _headline(job)), [])
    rows = [
        [
            run_link(client, job.info.run_id),
            job.info.status.lower(),
            *(
                with_interval(job.data.metrics, name) if name in job.data.metrics else "–"
                for name in names
            ),
        ]
        for job in jobs[:ROWS]
    ]
    budgets = [markdown.section(table) for part in _budgets(jobs, names) for table in part]
    columns = [Column(name="job"), Column(name="status")]
    columns += [Column(name=name, numeric=True) for name in names]
    parts = [
        f"{len(jobs)} jobs of `l1distill {stage} -m {swept}`:",
        *budgets,
        markdown.table(columns, rows) if rows else "",
        f"{len(jobs) - ROWS} more jobs are listed below this run." if len(jobs) > ROWS else "",
    ]
    return markdown.join_within(parts, LONGEST, "The jobs are listed below this run.")


def _budgets(jobs: "Sequence[Run]", names: Sequence[str]) -> Iterator[list[Table]]:
    """Yield the tables of jobs that were left with fewer nodes or features, means over seeds."""
    units: tuple[Unit, ...] = ("nodes", "features")
    for unit in units if names else ():
        said = [
            run_of(unit, names[0], job.data.params, job.data.metrics, job.data.tags)
            for job in reversed(jobs)
        ]
        found = points(run for run in said if run is not None)
        if len(found) > 1:
            yield budget_tables(BudgetPart(unit=unit, metric=names[0], points=found))


def _headline(run: "Run") -> list[str]:
    names: list[str] = json.loads(run.data.tags.get(HEADLINE, "[]"))
    return names
