"""Jets of a user's, from a table in the public layout to a student on constituents, as commands."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from docs.generate.metrics import patterns_of
from tests.in_process import run_in_process
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


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which data, teacher and student were made."""
    folder = tmp_path_factory.mktemp("line")
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
        ("student", "student.training.epochs=3", *STUDENT),
    ):
        done = run_in_process(stage, *OWN, *words, folder=folder, environment=environment)
        assert done.returncode == 0, done.stderr
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
