"""Knowledge distillation for Level-1 triggers: from PYTHIA collisions to bit-exact firmware.

What a notebook calls; every name is imported when it is first used::

    import l1distill

    student = l1distill.train_student(train, validation, l1distill.StudentSettings(layers=[16]))
    firmware = l1distill.synthesize(student.model, events, settings)

Stages, searches and notebooks train, synthesize and judge with the same functions. None of them
reads a file, talks to MLflow or knows Hydra.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from l1distill.compression.pruning import PruningSettings
    from l1distill.compression.quantization import QuantizationSettings
    from l1distill.compression.teacher import QuantizableTeacher, quantize_teacher
    from l1distill.data.dataset import Dataset
    from l1distill.data.encoding import Feature, InputEncoding
    from l1distill.distillation.joint import JointlyTrained, train_jointly
    from l1distill.distillation.joint_networks import JointExamples
    from l1distill.distillation.open_teacher import OpenTeacher
    from l1distill.distillation.pupil import TrainedStudent
    from l1distill.distillation.settings import DistillationSettings
    from l1distill.distillation.student import Examples, train_student
    from l1distill.distillation.targets import TargetTransform
    from l1distill.distillation.teacher import Teacher, TrainedTeacher, train_teacher
    from l1distill.evaluation.evaluation import Evaluation
    from l1distill.firmware.devices import Device
    from l1distill.firmware.results.documents import ModelDescription
    from l1distill.firmware.results.report import SynthesisReport
    from l1distill.firmware.settings import FirmwareSettings, ScoreSettings
    from l1distill.firmware.synthesis import Firmware, synthesize
    from l1distill.models.mlp import StudentSettings
    from l1distill.registry.evidence import Evidence
    from l1distill.registry.gates import Gate
    from l1distill.registry.judgment import Verdict, judge
    from l1distill.training.settings import TrainingSettings

_MODULES = {
    "Dataset": "data.dataset",
    "Device": "firmware.devices",
    "DistillationSettings": "distillation.settings",
    "Evaluation": "evaluation.evaluation",
    "Evidence": "registry.evidence",
    "Examples": "distillation.student",
    "Feature": "data.encoding",
    "Firmware": "firmware.synthesis",
    "FirmwareSettings": "firmware.settings",
    "Gate": "registry.gates",
    "InputEncoding": "data.encoding",
    "JointExamples": "distillation.joint_networks",
    "JointlyTrained": "distillation.joint",
    "ModelDescription": "firmware.results.documents",
    "OpenTeacher": "distillation.open_teacher",
    "PruningSettings": "compression.pruning",
    "QuantizableTeacher": "compression.teacher",
    "QuantizationSettings": "compression.quantization",
    "ScoreSettings": "firmware.settings",
    "StudentSettings": "models.mlp",
    "SynthesisReport": "firmware.results.report",
    "TargetTransform": "distillation.targets",
    "Teacher": "distillation.teacher",
    "TrainedStudent": "distillation.pupil",
    "TrainedTeacher": "distillation.teacher",
    "TrainingSettings": "training.settings",
    "Verdict": "registry.judgment",
    "judge": "registry.judgment",
    "quantize_teacher": "compression.teacher",
    "synthesize": "firmware.synthesis",
    "train_jointly": "distillation.joint",
    "train_student": "distillation.student",
    "train_teacher": "distillation.teacher",
}

__all__ = [
    "Dataset",
    "Device",
    "DistillationSettings",
    "Evaluation",
    "Evidence",
    "Examples",
    "Feature",
    "Firmware",
    "FirmwareSettings",
    "Gate",
    "InputEncoding",
    "JointExamples",
    "JointlyTrained",
    "ModelDescription",
    "OpenTeacher",
    "PruningSettings",
    "QuantizableTeacher",
    "QuantizationSettings",
    "ScoreSettings",
    "StudentSettings",
    "SynthesisReport",
    "TargetTransform",
    "Teacher",
    "TrainedStudent",
    "TrainedTeacher",
    "TrainingSettings",
    "Verdict",
    "judge",
    "quantize_teacher",
    "synthesize",
    "train_jointly",
    "train_student",
    "train_teacher",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *_MODULES})
