"""CMS NanoAOD with a signal that no paper has, from import to report."""

import json
import os
import shutil
from pathlib import Path

from tests.in_process import run_in_process
from tests.tasks.anomaly.readers.files import random_collisions, write_nanoaod

SIGNAL = "zprime"


def test_a_signal_of_another_name_reaches_the_report(tmp_path: Path, template: Path) -> None:
    shutil.copy(template, tmp_path / "mlflow.db")
    background = write_nanoaod(tmp_path / "background.root", random_collisions(900, seed=1))
    signal = write_nanoaod(tmp_path / "zprime.root", random_collisions(200, seed=2))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    data = (
        "data=nanoaod",
        f"data.files.background={background}",
        f"+data.files.signals.{SIGNAL}={signal}",
    )
    few_epochs = ("teacher.training.epochs=3",)
    small = ("student.layers=[8]", "student.training.epochs=8", "student.weight_bits=3")
    few_events = ("firmware.verification_events=200", "firmware.adversarial_events=50",
                  "firmware.rtl_simulator=none")  # fmt: skip
    for stage, overrides in {
        "generate": (),
        "teacher": few_epochs,
        "student": small,
        "synthesize": few_events,
        "promote": (),
        "report": (),
    }.items():
        done = run_in_process(stage, *data, *overrides, folder=tmp_path, environment=environment)
        assert done.returncode == (3 if stage == "promote" else 0), f"{stage}: {done.stderr}"
        if stage == "promote":
            assert "is refused" in done.stdout
            assert "is not promoted" in done.stderr
    student = json.loads((tmp_path / "models/student/metrics.json").read_text())
    assert 0.0 < student[f"auc/{SIGNAL}"] < 1.0
    verdict = json.loads((tmp_path / "promotion/verdict.json").read_text())
    reasons = {gate["gate"]: gate["reason"] for gate in verdict["gates"]}
    assert not verdict["passed"]
    assert reasons["lq_btau"] == "auc/lq_btau was not measured"
    report = (tmp_path / "report/report.md").read_text()
    row = next(line for line in report.splitlines() if line.startswith(f"| {SIGNAL} |"))
    assert f"{student[f'auc/{SIGNAL}']:.3f}" in row
    assert "| – |" in row, "nothing was published of it"
