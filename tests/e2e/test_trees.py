"""A student that is no neural network goes the whole way, to the registry and back."""

import json
from pathlib import Path

from tests.e2e.conftest import Project, with_own_store


def test_trees_become_a_verified_registered_student(line: Project, tmp_path: Path) -> None:
    store = with_own_store(line, tmp_path)
    student, firmware, report = (tmp_path / name for name in ("student", "firmware", "report"))
    store.l1distill(
        "student", "student=trees", "student.trees=3", "student.depth=2", f"output={student}"
    )
    store.l1distill("synthesize", f"student_folder={student}", f"output={firmware}")
    store.l1distill(
        "promote", f"student_folder={student}", f"firmware_folder={firmware}",
        "require_promotion=false", f"output={tmp_path}/promotion",
    )  # fmt: skip
    metrics = json.loads((firmware / "metrics.json").read_text())
    assert metrics["firmware/ii_cycles"] == 1
    compared = {name: n for name, n in metrics.items() if name.startswith("firmware/mismatches")}
    assert len(compared) >= 4
    assert set(compared.values()) == {0}
    assert json.loads((student / "metrics.json").read_text())["trees"] <= 3
    store.l1distill(
        "report", f"student_folder={student}", f"firmware_folder={firmware}",
        f"promotion_folder={tmp_path}/promotion", f"output={report}",
    )  # fmt: skip
    assert "thresholds and" in (report / "report.md").read_text()
