"""Describe runs for MLflow's user interface, in Markdown: what, from what, what came out, links."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.artifacts.record import SUMMARY, Record, read_metrics
from l1distill.core.workspace import read_json
from l1distill.registry.intervals import interval_of
from l1distill.reporting import markdown
from l1distill.reporting.pictures import FILE, FOLDER, read_captions
from l1distill.tracking.links import artifact_link, picture, run_link

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NOTE = "mlflow.note.content"
"""Tag of a run or an experiment that the user interface shows as its description."""
LONGEST = 8000
"""Characters that a tag of MLflow's may have."""
HEADLINE = "headline"
"""Tag of a run with the names of its headline metrics, for tables of several runs."""
EXPERIMENT = """\
Runs of l1distill: each stage of the pipeline that ran is one run, `teacher`, `student`, \
`synthesize`, `promote` and so on, and its name says which model it is about. The description of a \
run says what it was made from and what came out; a sweep is a run with its jobs as children. \
Students that were registered are under *Models*: the page of the model says which one is \
champion, and why.
"""
WHAT = {
    "generate": "Data set: the events that teachers and students learn from and are measured on.",
    "teacher": "Teacher: a large network, which students learn from. It is too large for the "
    "trigger.",
    "quantize": "Teacher in fixed point, to compare with.",
    "student": "Student: a small quantized network that was taught to answer as the teacher does.",
    "search": "Search for a student: many candidates, trained together, and the best of them anew.",
    "synthesize": "Firmware of a student, compared bit by bit with the network it was made from.",
    "promote": "Verdict on a student: whether it may run in the trigger, and whether it replaces "
    "the champion.",
    "monitor": "Comparison of new events with those that the champion was promoted with.",
    "report": "Report: everything that the pipeline found, on one page.",
    "paper": "Tables and figures of a paper's study, from all logged runs.",
}
_SHOWN = (
    *("report.md", "index.html", "verdict.json", "MODEL_CARD.md", "REPORT.md", "bundle.tar.gz"),
    *("card.json", "record.json"),
)
"""Files that are worth a link, the first ones first."""


def describe_run(client: "MlflowClient", run: "Run", record: Record, folder: Path) -> str:
    """Return the description of a stage's run, whose files and metrics have been logged.

    Args:
        client: of the store.
        run: as the store has it; its tags ``<stage>_run`` are those that it was made from.
        record: of the stage.
        folder: what it wrote.
    """
    sources = _sources(client, record, run.data.tags)
    parts = [
        f"{WHAT.get(record.stage, record.stage)} {_results(folder)}",
        record.note,
        "Made from:\n\n" + "\n".join(f"- {line}" for line in sources),
        "\n\n".join(_pictures(run.info.run_id, folder)),
        _files(run, record, folder),
    ]
    return markdown.join_within(parts, LONGEST, "The rest is under *Artifacts*.")


def headline(folder: Path) -> list[str]:
    """Return the names of the headline metrics of a stage's output."""
    metrics = read_metrics(folder)
    if not (folder / SUMMARY).is_file():
        return []
    names = [(name, f"firmware/{name}") for name in read_json(folder / SUMMARY)]
    return [next(name for name in both if name in metrics) for both in names]


def with_interval(metrics: Mapping[str, float], name: str) -> str:
    """Return a metric as a person writes it, with its uncertainty where one was measured."""
    value, interval = metrics[name], interval_of(metrics, name)
    if interval is None:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:.4g} ± {interval.width / 2:.2g}"


def _results(folder: Path) -> str:
    metrics = read_metrics(folder)
    found = [f"{name} {with_interval(metrics, name)}" for name in headline(folder)]
    return f"Result: {', '.join(found)}." if found else ""


def _sources(client: "MlflowClient", record: Record, tags: Mapping[str, str]) -> Iterator[str]:
    for stage in record.inputs:
        if run_id := tags.get(f"{stage}_run"):
            yield f"{stage}: {run_link(client, run_id)}"
    yield f"data set `{record.dataset}`, MD5 `{record.dataset_md5}`"
    if commit := tags.get("git_commit", "").replace("unknown", ""):
        yield f"commit `{commit}`"
    if overrides := tags.get("overrides"):
        yield f"command: `l1distill {record.stage} {overrides}`"
    if tags.get("imported"):
        yield "logged again from its output, as the store did not have it"


def _pictures(run_id: str, folder: Path) -> Iterator[str]:
    if not (folder / FOLDER / FILE).is_file():
        return
    for one in read_captions(folder):
        path = one.path.relative_to(folder).as_posix()
        yield f"{one.caption}:\n\n{picture(run_id, path, one.caption)}"


def _files(run: "Run", record: Record, folder: Path) -> str:
    logged = {
        path.relative_to(folder).as_posix()
        for pattern in record.artifacts
        for path in folder.glob(pattern)
    }
    links = [artifact_link(run, name) for name in _SHOWN if name in logged]
    return f"Files: {', '.join(links)}" if links else ""
