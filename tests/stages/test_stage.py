"""What a stage is told depends on the task."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from l1distill.stages import generate, quantize, student, teacher
from l1distill.stages.stage import Stage, StageSettings
from l1distill.tasks.anomaly.encoding import InputSettings
from l1distill.tasks.anomaly.settings import AnomalyDataSettings, AutoencoderSettings
from l1distill.tasks.anomaly.task import TASK as ANOMALY
from l1distill.tasks.base import Task
from tests.digits.task import TASK as DIGITS
from tests.digits.task import DigitsDataSettings, DigitsEncodingSettings, DigitsTeacherSettings


def _section(settings: type[BaseModel], *names: str) -> Any:
    found: Any = settings
    for name in names:
        found = found.model_fields[name].annotation
    return found


@pytest.mark.parametrize(
    ("task", "data", "teacher_section", "inputs"),
    [
        (ANOMALY, AnomalyDataSettings, AutoencoderSettings, InputSettings),
        (DIGITS, DigitsDataSettings, DigitsTeacherSettings, DigitsEncodingSettings),
    ],
)
def test_a_task_fills_its_sections(
    task: Task, data: type, teacher_section: type, inputs: type
) -> None:
    for stage in (generate.STAGE, teacher.STAGE, student.STAGE, quantize.STAGE):
        assert _section(stage.settings_for(task), "data") is data, stage.name
    assert _section(teacher.STAGE.settings_for(task), "teacher") is teacher_section
    assert _section(student.STAGE.settings_for(task), "student", "inputs") is inputs


def test_everything_else_is_the_stages_own() -> None:
    stage: Stage[Any] = student.STAGE
    settings = stage.settings_for(DIGITS)
    assert issubclass(settings, stage.settings)
    assert list(settings.model_fields) == list(stage.settings.model_fields)
    assert stage.settings.model_fields["data"].annotation is not DigitsDataSettings, "untouched"
    layers = _section(settings, "student").model_fields["layers"]
    assert layers.default == [32, 16]


def test_what_one_task_takes_another_refuses() -> None:
    class Settings(StageSettings):
        """Of a stage with nothing to be told."""

    stage: Stage[Any] = Stage(
        name="first",
        settings=Settings,
        inputs=lambda _: {},
        run=lambda *_: pytest.fail("not run"),
        artifacts=(),
    )
    told = {
        "task": {"name": "digits", "module": "tests.digits.task"},
        "output": "out",
        "data": {"name": "digits", "folder": "data", "images": 500},
        "tracking": {"experiment": "test", "uri": None, "model_name": "m"},
    }
    settings = stage.settings_for(DIGITS).model_validate(told)
    assert settings.data == DigitsDataSettings(name="digits", folder=Path("data"), images=500)
    with pytest.raises(ValidationError, match=r"data\.images"):
        stage.settings_for(ANOMALY).model_validate(told)
