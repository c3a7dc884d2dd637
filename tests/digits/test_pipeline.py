"""A foreign task runs through all stages, with no edit of the package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pytest

from l1distill.core.settings import Settings
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.tasks.base import AugmentingTask, Task
from tests.digits.task import SAMPLE, TASK
from tests.in_process import run_in_process
from tests.settings import ROOT

CONF = f"hydra.searchpath=[file://{ROOT}/tests/digits/conf]"
FEW = ("firmware.verification_events=200", "firmware.adversarial_events=50")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run."""
    folder = tmp_path_factory.mktemp("digits")
    for stage, overrides in {
        "generate": (),
        "teacher": (),
        # inputs of a few bits, for yosys' sake
        "student": (
            "student.layers=[16]",
            "student.training.epochs=30",
            "student.input_bits=5",
            "student.input_integer=0",
        ),
        "synthesize": FEW,
        "promote": (),
        "report": (),
    }.items():
        done = _run(folder, stage, "task=digits", *overrides)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    yield folder
    mlflow.set_tracking_uri(None)


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    stage, *overrides = arguments
    return run_in_process(stage, CONF, *overrides, folder=folder, environment=environment)


def _metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())


def test_the_task_is_what_the_protocol_asks_for() -> None:
    task: Task = TASK
    assert issubclass(task.settings.data, Settings)
    assert isinstance(TASK, AugmentingTask)


def test_student_and_teacher_read_digits(pipeline: Path) -> None:
    teacher, student = (_metrics(pipeline / f"models/{name}") for name in ("teacher", "student"))
    assert teacher["accuracy"] > 0.9
    assert student["accuracy"] > 0.8
    assert teacher["logits/accuracy"] == teacher["accuracy"]
    assert student[f"mse_to_teacher/{SAMPLE}"] > 0
    assert json.loads((pipeline / "models/student/summary.json").read_text()) == {
        "accuracy": student["accuracy"]
    }


def test_the_firmware_has_ten_outputs_and_agrees(pipeline: Path) -> None:
    metrics = _metrics(pipeline / "firmware/student")
    assert metrics["firmware/mismatches"] == 0
    assert json.loads((pipeline / "firmware/student/summary.json").read_text()) == {
        name: metrics[f"firmware/{name}"] for name in ("latency_ns", "lut")
    }
    card = (pipeline / "firmware/student/MODEL_CARD.md").read_text()
    assert "pixel 7,7" in card
    assert "logit of 9" in card
    assert "It has seen no letters." in card


def test_the_champion_answers_images_as_the_firmware_does(pipeline: Path) -> None:
    trigger = mlflow.pyfunc.load_model("models:/l1distill-digits@champion")
    with h5py.File(pipeline / f"data/digits/{SAMPLE}.h5") as file:
        images = file["images"][:50]
    # who loads it has its code first on the path, and so have the processes that are started then
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", "import l1distill.cli"], env=path, check=True)
    answers = trigger.predict(images)
    assert answers.shape == (50, 10)
    emulator = Emulator.load(pipeline / "firmware/student/emulator.json")
    expected = emulator.predict((images / 16.0).reshape(50, 64).astype(np.float32))
    np.testing.assert_array_equal(answers, expected)


def test_the_report_shows_the_task_in_its_own_words(pipeline: Path) -> None:
    page = re.sub(r"base64,[^\"]+", "", (pipeline / "report/index.html").read_text())
    for words in ("<td>student</td>", "Digits of other writers.", "Accuracy of the student"):
        assert words in page
    assert "AUC" not in page


def test_what_belongs_to_another_task_is_refused(pipeline: Path) -> None:
    done = _run(pipeline, "teacher", "data.folder=data/digits", "output=elsewhere")
    assert done.returncode == 2
    assert "task=digits" in done.stderr
    done = _run(pipeline, "quantize", "task=digits")
    assert done.returncode == 2
    assert "cannot be brought to fixed point" in done.stderr
