"""What a stage leaves in its folder is what the next one finds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.artifacts.folders import (
    ModelFolder,
    PromotionFolder,
    StageFolder,
    StudentFolder,
    TeacherFolder,
)
from l1distill.core.errors import DataError
from l1distill.data.encoding import Feature, InputEncoding
from l1distill.distillation.targets import TargetTransform
from l1distill.evaluation.curves import Curve
from l1distill.evaluation.evaluation import write_curves
from l1distill.models import keras_files
from l1distill.registry.decision import Rules, decide
from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.training.history import History

ANSWERS = {
    "background": np.linspace(0.5, 2.0, 7, dtype=np.float32),
    "signal": np.arange(6, dtype=np.float32).reshape(3, 2),
}


def anything(_: NDArray[np.float32]) -> str | None:
    return None


@pytest.fixture
def teacher(tmp_path: Path) -> TeacherFolder:
    folder = TeacherFolder(tmp_path)
    folder.write_answers(ANSWERS)
    return folder


def _refusal(folder: TeacherFolder, check: Callable[..., str | None] = anything) -> str:
    with pytest.raises(DataError) as refusal:
        folder.answers("background", 7, check)
    (line,) = str(refusal.value).splitlines()
    return line


def test_answers_read_as_they_were_written(teacher: TeacherFolder) -> None:
    """One number for each item, or several."""
    for sample, values in ANSWERS.items():
        read = teacher.answers(sample, len(values), anything)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"no numpy"), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: np.save(path, np.ones(6)), "6 answers for 7 items"),
        (lambda path: np.save(path, np.array([1.0] * 6 + [np.nan])), "must be finite"),
        (lambda path: np.save(path, np.array([1.0] * 6 + [np.inf])), "must be finite"),
        (lambda path: np.save(path, np.ones(7, int)), "must be finite"),
        (lambda path: np.save(path, np.array(["a"] * 7)), "must be finite"),
    ],
)
def test_answers_that_cannot_be_used_are_named(
    teacher: TeacherFolder, damage: Callable[[Path], object], says: str
) -> None:
    path = teacher.path / "scores/background.npy"
    damage(path)
    line = _refusal(teacher)
    assert line.startswith(f"{path}: {says}") or says in line
    assert line.endswith("run teacher again")


def test_a_task_may_refuse_answers(teacher: TeacherFolder) -> None:
    line = _refusal(teacher, lambda answers: f"{len(answers)} are too few")
    assert line == f"{teacher.path}/scores/background.npy: 7 are too few; run teacher again"


@pytest.mark.parametrize("folder_class", [TeacherFolder, StudentFolder])
def test_a_missing_network_is_named(
    tmp_path: Path, folder_class: type[TeacherFolder] | type[StudentFolder]
) -> None:
    with pytest.raises(DataError, match=r"(teacher|student)\.h5: no such network"):
        keras_files.load(folder_class(tmp_path).model)


def test_a_student_is_handed_on_with_its_encoding_and_target(tmp_path: Path) -> None:
    encoding = InputEncoding(shape=[1], features=[Feature(name="x", scale=4.0)])
    target = TargetTransform(transform="log_standardized", mean=1.0, std=2.0)
    folder = StudentFolder(tmp_path)
    folder.write_encoding(encoding)
    folder.write_target(target)
    assert folder.encoding == encoding
    assert folder.target == TargetTransform.read(tmp_path / "soft_target.json") == target


def test_constants_travel_from_folder_to_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "source", ModelFolder(tmp_path / "target")
    source.mkdir()
    target.path.mkdir()
    for name in ("a.json", "b.json", "c.json"):
        (source / name).write_text(name)
    target.copy_constants(source, ("a.json", "c.json"))
    assert {path.name: path.read_text() for path in target.path.iterdir()} == {
        "a.json": "a.json",
        "c.json": "c.json",
    }


def test_curves_are_those_of_the_primary_answer(tmp_path: Path) -> None:
    """History and curves of other answers stand elsewhere in the same folder."""

    def curve(level: float) -> Curve:
        return Curve(x=np.arange(3.0), y=np.full(3, level), x_name="fpr", y_name="tpr")

    write_curves({"roc": {"a_4l": curve(1.0)}}, tmp_path)
    write_curves({"roc": {"a_4l": curve(2.0)}}, tmp_path, "kl")
    folder = ModelFolder(tmp_path)
    folder.write_history(History(loss=[2.0], validation_loss=[1.0]))
    (read,) = folder.curves().values()
    assert list(read) == ["a_4l"]
    assert (read["a_4l"].y == 1.0).all()


def test_metrics_read_as_they_were_written_and_only_numbers_do(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    metrics = {"auc/a_4l": 0.1 + 0.2, "firmware/lut": 17766.0}
    folder.write_metrics(metrics)
    assert folder.metrics() == metrics
    for wrong in ('{"auc": true}', '{"auc": "0.5"}', '{"auc": null}'):
        (tmp_path / "metrics.json").write_text(wrong)
        with pytest.raises(DataError, match=r"metrics\.json: auc is not a number"):
            folder.metrics()


def test_a_verdict_keeps_each_gates_reason(tmp_path: Path) -> None:
    gates = {"lut": Gate(metric="firmware/lut", max=10), "auc": Gate(metric="auc", min=0.5)}
    folder = PromotionFolder(tmp_path)
    evidence = Evidence(content_sha256="", dataset_md5="", metrics={"firmware/lut": 11.0})
    folder.write_verdict(decide(Rules(gates=gates), evidence, None), "tight", "trigger")
    assert folder.verdict() == {
        "passed": False,
        "outcome": "refused",
        "reason": "2 of 2 gates failed: lut: 11 is above 10; auc: auc was not measured",
        "model": "trigger",
        "profile": "tight",
        "comparison": None,
        "gates": [
            {
                "gate": "lut",
                "metric": "firmware/lut",
                "value": 11.0,
                "interval": None,
                "threshold": "≤ 10",
                "min": None,
                "max": 10.0,
                "margin": -1.0,
                "passed": False,
                "reason": "11 is above 10",
            },
            {
                "gate": "auc",
                "metric": "auc",
                "value": None,
                "interval": None,
                "threshold": "≥ 0.5",
                "min": 0.5,
                "max": None,
                "margin": None,
                "passed": False,
                "reason": "auc was not measured",
            },
        ],
    }
