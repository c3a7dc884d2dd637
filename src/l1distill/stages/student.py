"""student: a teacher's answers in, a small quantized, pruned network out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model, model_validator

from l1distill.artifacts.folders import INPUTS, STUDENT_MODEL, StudentFolder, TeacherFolder
from l1distill.artifacts.record import ModelSpec
from l1distill.compression.pruning import PruningSettings
from l1distill.core.settings import Settings as SectionSettings
from l1distill.data.dataset import Dataset, Sample
from l1distill.data.encoding import InputEncoding
from l1distill.data.splits import Split
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import (
    Examples,
    TrainedStudent,
    distance_to_teacher,
    train_student,
)
from l1distill.distillation.targets import TargetTransform
from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings
from l1distill.stages.evaluate import evaluate_model
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import EncodingSettings, EvaluationSettings, Task

ANSWER = "student"


class StudentSection(StudentSettings):
    """A student, and how raw items become its inputs."""

    inputs: EncodingSettings
    """The task's input encoding."""


class Settings(StageSettings):
    """Settings of ``l1distill student``."""

    student: StudentSection
    """Layers, bits, input encoding and training."""
    distillation: DistillationSettings = DistillationSettings()
    """What is learned from the teacher."""
    compression: PruningSettings = PruningSettings()
    """Pruning while it is trained."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How its answers are judged."""
    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    output: Path = Path("models/student")
    """Folder that the stage writes."""

    @model_validator(mode="after")
    def _pruning_ends_in_time(self) -> "Settings":
        self.compression.check(self.student.training.epochs, "student")
        return self


def _sections(task: Task) -> Mapping[str, type[SectionSettings]]:
    inputs = Field(description=StudentSection.model_fields["inputs"].description)
    section = create_model(
        "StudentSection", __base__=StudentSection, inputs=(task.settings.encoding, inputs)
    )
    return {"student": section, "evaluation": task.settings.evaluation}


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def _run(settings: Settings, context: Context) -> Result:
    task, teacher = context.task, TeacherFolder(settings.teacher_folder)
    folder = StudentFolder(context.folder)
    dataset = task.open(settings.data.folder)
    lessons = _prepare(settings, task, dataset, teacher)
    student = _train(lessons, dataset, settings, context)
    rows = {name: dataset.evaluation_rows(name) for name in dataset.names}
    given = {
        name: student.predict(lessons.features(sample, rows[name]))
        for name, sample in dataset.samples().items()
    }
    targets = {name: lessons.targets[name][rows[name]] for name in dataset.names}
    judged = evaluate_model(
        "student",
        task,
        dataset,
        {ANSWER: given},
        ANSWER,
        student.history,
        folder,
        settings.evaluation,
        reference=teacher.curves(),
        targets=targets,
    )
    keras_files.save(student.model, folder.model)
    folder.write_encoding(lessons.encoding)
    folder.write_target(lessons.transform)
    folder.copy_constants(teacher.path, task.constants())
    return Result(
        metrics={
            **judged.metrics,
            **distance_to_teacher(given, targets),
            **student.metrics(),
        },
        headline=judged.by_answer[ANSWER].headline,
        dataset_md5=dataset.md5,
        model=MODEL,
    )


@dataclass(frozen=True, kw_only=True)
class _Lessons:
    """What a student is taught: how items become features, and the targets of every item."""

    encoding: InputEncoding
    transform: TargetTransform
    targets: Mapping[str, NDArray[np.float32]]

    def features(self, sample: Sample, rows: slice) -> NDArray[np.float32]:
        return self.encoding.apply(sample.items.values[rows])


def _prepare(settings: Settings, task: Task, dataset: Dataset, teacher: TeacherFolder) -> _Lessons:
    answers = {
        name: teacher.answers(name, file.events, task.check_answers)
        for name, file in dataset.card.files.items()
    }
    train = answers[dataset.training_sample][dataset.training.rows(Split.TRAIN)]
    transform = task.fit_target(train)
    return _Lessons(
        encoding=task.encoding(settings.student.inputs, teacher.path),
        transform=transform,
        targets={name: transform(values) for name, values in answers.items()},
    )


def _train(
    lessons: _Lessons, dataset: Dataset, settings: Settings, context: Context
) -> TrainedStudent:
    sample, targets = dataset.training, lessons.targets[dataset.training_sample]

    def examples(split: Split) -> Examples:
        rows = sample.rows(split)
        return Examples(features=lessons.features(sample, rows), targets=targets[rows])

    with context.epochs("train student", settings.student.training.epochs) as on_epoch:
        return train_student(
            examples(Split.TRAIN),
            examples(Split.VALIDATION),
            settings.student,
            settings.distillation,
            settings.compression,
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )


MODEL = ModelSpec(
    name="student",
    script="l1distill.tracking.served.student",
    artifacts={"student": STUDENT_MODEL, "inputs": INPUTS},
    requirements=[
        "tensorflow",
        "qkeras",
        "pyparsing",
        "tensorflow-model-optimization",
        "pydantic",
        "mlflow",
    ],
)

STAGE = Stage(
    name="student",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("*.h5", "*.json", "*.csv", "roc/*.csv", "plots/*"),
    sections=_sections,
)
