"""Jets of a user's, from a table in the public layout to the judgment of a student, as commands.

The student has constituents as its inputs.
"""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from docs.generate.metrics import patterns_of
from tests.in_process import run_in_process
from tests.settings import conf
from tests.tasks.jets.test_readers import FEATURES, public_file

OWN = (
    "data=own_jets",
    "data.files.paths=jets.h5",
    f"data.files.features=[{','.join(FEATURES)}]",
    "+data.files.constituents.table=jetConstituentList",
    "+data.files.constituents.numbers=[j1_ptrel,j1_etarel]",
    "+data.files.constituents.count=3",
)
STUDENT = (
    *("student.inputs.inputs=constituents", "student.layers=[4]", "compression=none"),
    *(
        "distillation=feature",
        "distillation.beta=0.5",
        "student.training.batch_size=8",
        "student.training.learning_rate=0.01",
    ),
)


FEW = (
    *("firmware.verification_events=100", "firmware.adversarial_events=20"),
    "firmware.rtl_simulator=none",
)


@pytest.fixture(scope="module")
def line(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which data, teacher, student and firmware were made, and judged."""
    folder = tmp_path_factory.mktemp("line")
    shutil.copy(template, folder / "mlflow.db")
    rng = np.random.default_rng(8)
    kind = np.array([0, 1, 4])[np.arange(1200) % 3]
    top = kind == 4
    constituents = rng.normal(size=(1200, 5, 4)) + top[:, None, None]
    public_file(
        folder / "jets.h5",
        jets=np.hstack([rng.normal(size=(1200, 3)) + top[:, None], np.eye(6)[kind]]),
        jetConstituentList=constituents,
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")},
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    for stage, *words in (
        ("generate",),
        (
            "teacher",
            "teacher.training.epochs=2",
            "teacher.widths=[8]",
            "teacher.training.batch_size=8",
            "teacher.training.learning_rate=0.01",
        ),
        ("student", "student.training.epochs=3", "student.weight_bits=3", *STUDENT),
        ("synthesize", *FEW),
        ("promote",),
    ):
        done = run_in_process(stage, *OWN, *words, folder=folder, environment=environment)
        assert done.returncode == (3 if stage == "promote" else 0), done.stderr
    return folder


def test_a_student_learns_constituents_of_a_users_jets(line: Path) -> None:
    metrics = json.loads((line / "models/student/metrics.json").read_text())
    assert metrics["auc"] > 0.75
    inputs = json.loads((line / "models/student/inputs.json").read_text())
    assert [feature["name"] for feature in inputs["features"]] == [
        f"j1_{kind}_{number}" for number in (1, 2, 3) for kind in ("ptrel", "etarel")
    ]
    assert inputs["positions"] == [3, 4, 5, 6, 7, 8]
    with (line / "models/student/saturation.csv").open() as file:
        assert max(int(row["saturated"]) for row in csv.DictReader(file)) < 12
    for stage in ("data/own_jets", "models/teacher", "models/student"):
        names = json.loads((line / stage / "metrics.json").read_text())
        assert {name for name in names if len(patterns_of(name)) != 1} == set()


def test_its_firmware_is_verified_and_judged_by_the_gates_of_the_task(line: Path) -> None:
    firmware = json.loads((line / "firmware/student/metrics.json").read_text())
    assert firmware["firmware/mismatches"] == 0
    assert firmware["firmware/verified_events"] == 120
    card = (line / "firmware/student/MODEL_CARD.md").read_text()
    assert "j1_ptrel_1" in card
    student = json.loads((line / "models/student/metrics.json").read_text())
    verdict = json.loads((line / "promotion/verdict.json").read_text())
    gates = {gate["gate"]: gate for gate in verdict["gates"]}
    assert set(gates) == set(conf("gates/jets")["gates"])
    assert gates["mismatches"]["passed"]
    assert not gates["verification"]["passed"]
    assert f"{student['rejection_50']:.6g}" in gates["rejection_50"]["reason"]
    assert (verdict["outcome"], verdict["passed"]) == ("refused", False)
