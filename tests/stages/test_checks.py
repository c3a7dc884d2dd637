"""What stages refuse before a run is opened, beside what their settings refuse."""

from pathlib import Path
from typing import Any, cast

import pytest

from l1distill.artifacts.record import Record
from l1distill.core.errors import ConfigError, DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Square
from l1distill.firmware.network.network import connect
from l1distill.firmware.network.serialization import save
from l1distill.stages import promote, quantize, student, synthesize, teacher
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse
from l1distill.tasks.anomaly.task import TASK
from tests.distillation.classifier import Classifier


def _settings(module: Any, *overrides: str) -> Any:
    composed = to_plain(compose_stage(module.STAGE.name, overrides).config)
    return parse(module.STAGE.settings_for(TASK, composed), composed)


def _write(folder: Path, stage: str, inputs: dict[str, str], parameters: dict[str, Any]) -> None:
    folder.mkdir()
    Record(
        stage=stage,
        parameters=parameters,
        inputs=inputs,
        dataset="anomaly",
        dataset_md5="0" * 32,
        files={},
        artifacts=[],
    ).write(folder)


def test_firmware_of_no_student_cannot_be_promoted(tmp_path: Path) -> None:
    settings = _settings(promote, f"firmware_folder={tmp_path / 'firmware'}")
    assert promote.STAGE.check is not None
    _write(tmp_path / "firmware", "synthesize", {}, {})
    with pytest.raises(DataError, match="is not the firmware of a student of the pipeline"):
        promote.STAGE.check(settings, TASK)


def test_firmware_of_a_student_can(tmp_path: Path) -> None:
    settings = _settings(promote, f"firmware_folder={tmp_path / 'firmware'}")
    assert promote.STAGE.check is not None
    _write(tmp_path / "firmware", "synthesize", {"student": "0" * 64}, {})
    promote.STAGE.check(settings, TASK)


def test_a_teacher_that_has_no_form_in_fixed_point_is_refused(tmp_path: Path) -> None:
    class Other:
        name = "digits"
        settings = TASK.settings

        def teacher(self, settings: object, constants: Path) -> object:
            return object()

    settings = _settings(quantize, f"teacher_folder={tmp_path / 'teacher'}")
    assert quantize.STAGE.check is not None
    _write(tmp_path / "teacher", "teacher", {}, {"teacher.architecture": "dnn_ae"})
    with pytest.raises(
        ConfigError,
        match=r"^teacher_folder=.*/teacher: a teacher of its kind cannot be brought to fixed point",
    ):
        quantize.STAGE.check(settings, cast(Any, Other()))


def test_a_teacher_of_items_answers_in_one_process() -> None:
    class Other:
        name = "digits"

        def teacher(self, settings: object, constants: Path) -> object:
            return Classifier()

    settings = _settings(teacher, "executor=processes")
    assert teacher.STAGE.check is not None
    with pytest.raises(ConfigError, match=r"^executor=processes: the teachers of task=digits ans"):
        teacher.STAGE.check(settings, cast(Any, Other()))
    teacher.STAGE.check(_settings(teacher), cast(Any, Other()))


@pytest.mark.parametrize(
    ("words", "says"), [((), "students of task=anomaly are"), (("brief=true",), "brief students")]
)
def test_a_student_of_items_is_judged_in_one_process(words: tuple[str, ...], says: str) -> None:
    settings = _settings(student, "executor=processes", *words)
    assert student.STAGE.check is not None
    with pytest.raises(ConfigError, match=f"^executor=processes: {says}"):
        student.STAGE.check(settings, TASK)


@pytest.mark.parametrize(("source", "inputs"), [("model", 4), ("keras", 5), ("shape", 16)])
def test_another_number_of_ports_than_inputs_is_refused(
    source: str, inputs: int, tmp_path: Path
) -> None:
    path, override = tmp_path / "network.json", "shape=qdistillnet"
    if source == "model":
        save(connect(4, FixedPoint(signed=True, integer=1, fraction=2), [Square("one")]), path)
        override = f"model={path}"
    elif source == "keras":
        from tensorflow.keras import Sequential, layers

        override = f"model={tmp_path / 'net.h5'}"
        Sequential([layers.Input((5,)), layers.Dense(2)]).save(tmp_path / "net.h5")
    settings = _settings(synthesize, override, "ports=cms_gt", f"output={tmp_path / 'out'}")
    assert synthesize.STAGE.check is not None
    with pytest.raises(ConfigError, match=f"57 ports for the {inputs} inputs of the network"):
        synthesize.STAGE.check(settings, TASK)


def test_a_student_in_floating_point_has_no_firmware(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    _write(folder, "student", {}, {"student.quantized": False})
    settings = _settings(synthesize, f"student_folder={folder}")
    assert synthesize.STAGE.check is not None
    with pytest.raises(DataError, match="a student in floating point, which has no firmware"):
        synthesize.STAGE.check(settings, TASK)
