from pathlib import Path

from l1distill.data.card import Card, SampleCard
from l1distill.firmware.devices import Device
from l1distill.firmware.results.report import REQUIRED, ReportEntry, SynthesisReport
from l1distill.reporting.page import PipelineReport, render
from l1distill.reporting.pictures import Picture
from l1distill.reporting.tables import Column, Table
from tests.settings import conf

COMPARISON = Table(
    title="Teacher against student",
    columns=(
        Column(name="signal"),
        Column(name="student AUC", numeric=True, source="measured, here"),
    ),
    rows=[["A → 4ℓ", "0.800 ± 0.010"], ["Z' <boson>", "–"]],
    notes=("The first <note>.", "The second."),
)

WORDS = Table(title="What it takes", columns=(), rows=(), lead="It takes 5 <Hz>.")


def _report(tmp_path: Path, passed: bool) -> PipelineReport:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    device = Device.model_validate(conf("firmware/device/vu9p"))
    figures = tuple(
        ReportEntry(name=name, value=7.0, unit="", tool="yosys", version="0.70", kind="measured")
        for name in REQUIRED
    )
    gate = {
        "gate": "lut", "metric": "firmware/lut_percent", "value": None if not passed else 1.5,
        "threshold": "≤ 5", "passed": passed, "reason": "" if passed else "it was not measured",
        "interval": {"low": 1.25, "high": 1.75} if passed else None,
        "margin": 3.5 if passed else None,
    }  # fmt: skip
    sample = SampleCard(events=10, tried=100, acceptance=0.1, settings=[], truth_mass=None)
    card = Card(
        dataset="anomaly", settings={}, versions={"pythia8mc": "8.317.2"}, files={},
        samples={"w": sample}, checks={}, missing=["No <gluon> splitting."],
    )  # fmt: skip
    return PipelineReport(
        card=card,
        dataset_md5="0123456789abcdef",
        comparisons=(WORDS, COMPARISON),
        synthesis=SynthesisReport(device=device, entries=figures),
        device=device.name,
        verdict={
            "outcome": "champion" if passed else "refused",
            "reason": "",
            "model": "trigger",
            "gates": [gate],
        },
        pictures=[Picture(caption="ROC", path=picture)],
        data_pictures=[Picture(caption="jets", path=picture)],
    )


def test_a_promoted_student(tmp_path: Path) -> None:
    page, markdown = render(_report(tmp_path, passed=True))
    assert "Promoted: all 1 gates passed" in page
    assert "Promoted: all 1 gates passed" in markdown
    assert "yosys 0.70" in page
    assert page.count("data:image/png;base64,cGljdHVyZQ==") == 2
    assert page.index("<figcaption>ROC<") < page.index("<figcaption>jets<")


def test_the_comparison_is_shown_as_the_task_made_it(tmp_path: Path) -> None:
    page, markdown = render(_report(tmp_path, passed=True))
    for words in (
        "<h2>Teacher against student</h2>",
        '<th>signal</th><th class="n">student AUC<br><span class="soft">measured, here</span></th>',
        '<tr><td>A → 4ℓ</td><td class="n">0.800 ± 0.010</td></tr>',
        '<p class="soft">The second.</p>',
    ):
        assert words in page
    assert "<h2>What it takes</h2>\n<p>It takes 5 &lt;Hz&gt;.</p>" in page
    assert page.index("What it takes") < page.index("Teacher against student")
    lines = markdown.splitlines()
    at = lines.index("## What it takes")
    assert lines[at + 1 : at + 4] == ["", "It takes 5 <Hz>.", ""]
    at = lines.index("## Teacher against student")
    assert lines[at + 1 : at + 8] == [
        "",
        "| signal | student AUC |",
        "| --- | --- |",
        "| A → 4ℓ | 0.800 ± 0.010 |",
        "| Z' <boson> | – |",
        "",
        "The first <note>.",
    ]


def test_a_refused_student_says_why(tmp_path: Path) -> None:
    page, markdown = render(_report(tmp_path, passed=False))
    assert "Refused: 1 of 1 gates failed" in page
    assert "refused: it was not measured" in page
    assert "missing" in page
    assert "| refused: it was not measured |" in markdown


def test_words_from_files_are_escaped(tmp_path: Path) -> None:
    page, _ = render(_report(tmp_path, passed=True))
    for words in ("No &lt;gluon&gt; splitting.", "&lt;boson&gt;", "The first &lt;note&gt;."):
        assert words in page
