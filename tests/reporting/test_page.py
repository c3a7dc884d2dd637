from pathlib import Path

import pytest

from l1distill.data.card import Card, SampleCard
from l1distill.firmware.devices import Device
from l1distill.firmware.results.report import REQUIRED, ReportEntry, SynthesisReport
from l1distill.reporting.page import Line, render, signal_rows
from l1distill.tasks.anomaly.events import SIGNALS
from tests.settings import conf


def _metrics(auc: float) -> dict[str, float]:
    metrics = {"parameters": 2401.0, "sparsity": 0.5}
    for signal in SIGNALS:
        metrics |= {f"auc/{signal}": auc, f"auc_error/{signal}": 0.01}
        metrics |= {f"mse_to_teacher/{signal}": 0.2, f"tpr_fpr1e-3/{signal}": 0.05}
    return metrics


def _line(tmp_path: Path, passed: bool) -> Line:
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
    }  # fmt: skip
    sample = SampleCard(events=10, tried=100, acceptance=0.1, settings=[], truth_mass=None)
    card = Card(
        dataset="anomaly", settings={}, versions={"pythia8mc": "8.317.2"}, files={},
        samples={"w": sample}, checks={}, missing=["No <gluon> splitting."],
    )  # fmt: skip
    return Line(
        card=card,
        dataset_md5="0123456789abcdef",
        teacher=_metrics(0.9),
        student=_metrics(0.8),
        figures=SynthesisReport(device=device, entries=figures),
        device=device.name,
        verdict={"passed": passed, "model": "trigger", "gates": [gate]},
        pictures=[("ROC", picture)],
        data_pictures=[("jets", picture)],
    )


def test_a_promoted_student(tmp_path: Path) -> None:
    page, markdown = render(_line(tmp_path, passed=True))
    assert "Promoted: all 1 gates passed" in page
    assert "0.900 ± 0.010" in page
    assert "0.800 ± 0.010" in page
    assert "yosys 0.70" in page
    assert "| A → 4ℓ | 0.96 | 0.900 ± 0.010 | 0.800 ± 0.010 | 5.00% | 0.200 |" in markdown
    assert page.count("data:image/png;base64,cGljdHVyZQ==") == 2


def test_a_refused_student_says_why(tmp_path: Path) -> None:
    page, markdown = render(_line(tmp_path, passed=False))
    assert "Refused: 1 of 1 gates failed" in page
    assert "refused: it was not measured" in page
    assert "missing" in page
    assert "| refused: it was not measured |" in markdown


def test_words_from_files_are_escaped(tmp_path: Path) -> None:
    page, _ = render(_line(tmp_path, passed=True))
    assert "No &lt;gluon&gt; splitting." in page


def test_an_unresolved_working_point_is_said() -> None:
    student = _metrics(0.8)
    del student["tpr_fpr1e-3/a_4l"]
    rows = {row.name: row for row in signal_rows(_metrics(0.9), student)}
    assert rows["A → 4ℓ"].tpr is None
    assert rows["LQ → bτ"].tpr == pytest.approx(0.05)
