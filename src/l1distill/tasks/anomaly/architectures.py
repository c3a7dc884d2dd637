"""The teachers of each kind of settings.

A new architecture is a settings class with its names in :data:`.settings.ARCHITECTURES`, and a row
here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from l1distill.distillation.open_teacher import OpenTeacher
from l1distill.tasks.anomaly.autoregressive_teacher import AutoregressiveTeacher
from l1distill.tasks.anomaly.settings import (
    AnomalyTeacherSettings,
    AutoencoderSettings,
    AutoregressiveSettings,
)
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teacher import AnomalyTeacher

TEACHERS: Mapping[type[AnomalyTeacherSettings], Callable[[Any, Standardization], OpenTeacher]] = {
    AutoencoderSettings: AnomalyTeacher,
    AutoregressiveSettings: lambda settings, _: AutoregressiveTeacher(settings),
}


def make_teacher(settings: AnomalyTeacherSettings, standardization: Standardization) -> OpenTeacher:
    """Return the teacher of settings, which has no network yet.

    Args:
        settings: of one of the architectures.
        standardization: pT over the training split.
    """
    return TEACHERS[type(settings)](settings, standardization)
