"""The report of a pipeline: HTML that needs nothing beside it, and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l1distill.data.card import Card
from l1distill.reporting.pictures import Picture
from l1distill.reporting.tables import Table
from l1distill.reporting.template import embed, fill

if TYPE_CHECKING:
    from l1distill.firmware.results.report import SynthesisReport

TEMPLATE, MARKDOWN = "page.html.j2", "page.md.j2"


@dataclass(frozen=True, kw_only=True)
class PipelineReport:
    """Everything the page shows.

    Attributes:
        card: of the data set.
        dataset_md5: its identity.
        comparisons: teacher against student, in order of importance.
        synthesis: the synthesis report.
        device: name of the FPGA.
        verdict: ``outcome`` with its ``reason``, ``model`` and the ``gates``.
        pictures: of teacher and student.
        data_pictures: of the data.
    """

    card: Card
    dataset_md5: str
    comparisons: Sequence[Table]
    synthesis: "SynthesisReport"
    device: str
    verdict: Mapping[str, Any]
    pictures: Sequence[Picture]
    data_pictures: Sequence[Picture]


def render(report: PipelineReport) -> tuple[str, str]:
    """Return the page as HTML, and its tables as Markdown."""
    html = fill(
        TEMPLATE,
        report=report,
        pictures=embed(report.pictures),
        data_pictures=embed(report.data_pictures),
    )
    return html, fill(MARKDOWN, report=report)
