"""A foreign task runs through all stages, with no edit of the package."""

import json
import os
import re
import shutil
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
def pipeline(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run."""
    folder = tmp_path_factory.mktemp("digits")
    shutil.copy(template, folder / "mlflow.db")
    for stage, overrides in {
        "generate": (),
        "teacher": (),
        # numbers of a few bits, for yosys' sake
        "student": (
            "compression=autopruner",
            "compression.nodes=16",
            "compression.features=48",
            "student.layers=[24]",
            "student.training.epochs=30",
            "student.input_bits=5",
            "student.input_integer=0",
            "student.weight_bits=3",
            "student.activation_bits=4",
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


def test_nodes_and_pixels_were_switched_off_and_the_card_says_which(pipeline: Path) -> None:
    student = pipeline / "models/student"
    metrics, left = _metrics(student), json.loads((student / "structure.json").read_text())
    assert (metrics["nodes_asked"], metrics["nodes_used"], metrics["nodes_before"]) == (16, 16, 24)
    assert (metrics["features_asked"], metrics["features_used"]) == (48, 48)
    assert left["nodes"] == {"dense_1": [16, 24]}
    assert [len(left["features"]), left["of_features"]] == [48, 64]
    assert [left["nodes_by_epoch"][0], left["nodes_by_epoch"][-1]] == [[24], [16]]
    names = {f"pixel {row},{column}" for row in range(8) for column in range(8)}
    assert set(left["features"]) < names
    card = json.loads((pipeline / "promotion/card.json").read_text())
    table = next(one for one in card["tables"] if one["title"] == "Nodes and features")
    assert table["rows"] == [["dense_1", "16", "24"], ["all", "16", "24"]]
    assert table["notes"] == [f"Features: 48 of 64 ({', '.join(left['features'])})."]
    assert "plots/structure.png" in [path for _, path, _ in card["pictures"]]
    assert (student / "plots/structure.png").read_bytes()[:4] == b"\x89PNG"
    (run,) = mlflow.search_runs(
        search_all_experiments=True, filter_string="tags.stage = 'student'", output_format="list"
    )
    assert json.loads(run.data.tags["features_kept"]) == left["features"]
    assert run.data.metrics["nodes_used/dense_1"] == 16
    assert "16 of 24 in dense_1" in run.data.tags["mlflow.note.content"]


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


def test_a_sweep_of_budgets_has_its_table_in_its_run(pipeline: Path) -> None:
    """Two students in floating point, each of 8 nodes."""
    words = (
        "student", "-m", "task=digits", "compression=autopruner",
        "compression.score=fisher,from_scratch", "compression.nodes=8", "brief=true",
        "student.quantized=false", "student.layers=[16]", "student.training.epochs=3",
        "hydra.sweep.dir=sweep",
    )  # fmt: skip
    done = _run(pipeline, *words)
    assert done.returncode == 0, done.stderr
    # killed in the second job and started again, it trains that one alone
    kept = pipeline / "sweep/0/student/student.h5"
    before = kept.stat().st_mtime_ns
    weights = (pipeline / "sweep/1/student/student.h5").read_bytes()
    shutil.rmtree(pipeline / "sweep/1/student")
    done = _run(pipeline, *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("done before, taken from") == 1
    assert kept.stat().st_mtime_ns == before
    assert (pipeline / "sweep/1/student/student.h5").read_bytes() == weights
    sweep, first = mlflow.search_runs(
        search_all_experiments=True, filter_string="tags.stage = 'student_sweep'",
        output_format="list",
    )  # fmt: skip
    assert sweep.info.start_time > first.info.start_time
    note = sweep.data.tags["mlflow.note.content"]
    assert "accuracy against nodes used, of 16" in note
    assert "| less than | 8 |" in note
    left = {path.name for path in (pipeline / "sweep/0/student").iterdir()}
    assert {"student.h5", "structure.json", "history.csv", "metrics.json"} < left
    assert not left & {"plots", "roc"}
    metrics = [_metrics(pipeline / f"sweep/{job}/student") for job in (0, 1)]
    assert [one["nodes_used"] for one in metrics] == [8, 8]
    assert [one["nodes_before"] for one in metrics] == [16, 16]
