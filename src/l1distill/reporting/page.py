"""Puts the outputs of the line together: HTML that needs nothing beside it, and Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from l1distill.data.card import Card
from l1distill.firmware.results.report import Figures
from l1distill.reporting.plots.style import SIGNAL_NAMES
from l1distill.reporting.template import embed, fill
from l1distill.tasks.anomaly import published
from l1distill.tasks.anomaly.events import SIGNALS

TEMPLATE, MARKDOWN = "page.html.j2", "page.md.j2"


class Line(NamedTuple):
    """Everything the page shows."""

    card: Card
    dataset_md5: str
    teacher: Mapping[str, float]
    student: Mapping[str, float]
    figures: Figures
    device: str
    verdict: Mapping[str, Any]
    pictures: Sequence[tuple[str, Path]]
    """Caption and PNG of teacher and student."""
    data_pictures: Sequence[tuple[str, Path]]
    """Caption and PNG of the events."""


class SignalRow(NamedTuple):
    """Teacher against student on one signal."""

    name: str
    paper: float
    teacher: float
    teacher_error: float
    student: float
    student_error: float
    tpr: float | None
    """The student's TPR at a FPR of 1e-3; None where the test sample cannot resolve it."""
    distance: float


def signal_rows(teacher: Mapping[str, float], student: Mapping[str, float]) -> list[SignalRow]:
    """Sets teacher and student side by side, a row a signal."""
    return [
        SignalRow(
            SIGNAL_NAMES[name],
            published.AUC[name],
            teacher[f"auc/{name}"],
            teacher[f"auc_error/{name}"],
            student[f"auc/{name}"],
            student[f"auc_error/{name}"],
            student.get(f"tpr_fpr1e-3/{name}"),
            student[f"mse_to_teacher/{name}"],
        )
        for name in SIGNALS
    ]


def render(line: Line) -> tuple[str, str]:
    """Returns the page as HTML, and its tables as Markdown."""
    words = {
        "line": line,
        "rows": signal_rows(line.teacher, line.student),
        "paper": published.PAPER,
        "why": published.WHY_OURS_DIFFER,
    }
    pictures = {
        "pictures": embed(line.pictures),
        "data_pictures": embed(line.data_pictures),
    }
    return fill(TEMPLATE, **words, **pictures), fill(MARKDOWN, **words)
