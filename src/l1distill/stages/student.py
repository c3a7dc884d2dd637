"""student: a teacher's answers in, a small quantized, pruned network out."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model, model_validator

from l1distill.artifacts.folders import INPUTS, STUDENT_MODEL, StudentFolder, TeacherFolder
from l1distill.artifacts.record import ModelSpec, Record
from l1distill.compression.methods import method_of
from l1distill.compression.node_budget import feature_budget, node_budgets
from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.core.errors import ConfigError
from l1distill.core.settings import Settings as SectionSettings
from l1distill.data.dataset import Dataset
from l1distill.data.encoding import InputEncoding
from l1distill.data.saturation import (
    Saturation,
    measure_saturation,
    saturation_metrics,
    write_saturation,
)
from l1distill.distillation.earlier_self import snapshot_epoch
from l1distill.distillation.hgq import check_hgq
from l1distill.distillation.open_teacher import open_teacher
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import check_truth, distance_to_teacher
from l1distill.distillation.teacher import CalibratedTeacher
from l1distill.distillation.trees import check_trees
from l1distill.executor.choice import check_executor
from l1distill.executor.settings import ExecutorSettings
from l1distill.models import keras_files
from l1distill.models.families import FAMILIES, family_of
from l1distill.models.hgq_student import HgqSettings
from l1distill.models.student_network import NetworkSettings
from l1distill.models.students import StudentBase, input_limits
from l1distill.models.trees import TreesSettings
from l1distill.reporting.pictures import write_captions
from l1distill.reporting.plots.structure import draw_structure
from l1distill.stages.evaluate import evaluate_model
from l1distill.stages.item_weights import check_alike, check_item_weights
from l1distill.stages.lessons import Taught, teach
from l1distill.stages.pseudo_items import pseudo_items
from l1distill.stages.recorded_teacher import check_same_constants, teacher_settings
from l1distill.stages.services import services_of
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.stages.topologies import topology_metrics
from l1distill.tasks.base import ComparingTask, Task
from l1distill.tasks.records import Answers
from l1distill.tasks.settings import AugmentationSettings, EncodingSettings, EvaluationSettings

ANSWER = "student"


class StudentSection(StudentBase):
    """A student, and how raw items become its inputs."""

    inputs: EncodingSettings
    """The task's input encoding."""


class LearningSettings(StageSettings):
    """Settings of every stage that trains students."""

    student: StudentSection
    """Family, bits, input encoding and training."""
    distillation: DistillationSettings = DistillationSettings()
    """What is learned from the teacher, and how."""
    compression: CompressionSettings = PruningSettings()
    """Pruning while it is trained."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """How pseudo-items are made, where ``distillation.augmentation`` asks for some."""
    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""

    @model_validator(mode="after")
    def _pruning_ends_in_time(self) -> "LearningSettings":
        if isinstance(self.student, NetworkSettings):
            self.compression.check(self.student.training.epochs, "student")
        return self


class Settings(LearningSettings):
    """Settings of ``l1distill student``."""

    evaluation: EvaluationSettings = EvaluationSettings()
    """How its answers are judged."""
    executor: ExecutorSettings | None = None
    """Where it is judged beside its teacher on whole events, a block of events at a time; its
    metrics do not depend on it. null: in this process, as the students of all other tasks."""
    brief: bool = False
    """Whether only metrics, history and network are kept: no curves, pictures, study of trigger
    rates or logged model; for sweeps of hundreds of small students."""
    output: Path = Path("models/student")
    """Folder that the stage writes."""


def learning_sections(
    task: Task, composed: Mapping[str, Any]
) -> Mapping[str, type[SectionSettings]]:
    """Return the types of the sections of :class:`LearningSettings`."""
    return {
        "student": _section(family_of(composed.get("student")).settings, task.settings.encoding),
        "compression": method_of(composed.get("compression")),
        "augmentation": task.settings.augmentation,
    }


@cache
def _section(
    family: type[SectionSettings], encoding: type[SectionSettings]
) -> type[SectionSettings]:
    inputs = Field(description=StudentSection.model_fields["inputs"].description)
    return create_model(
        "StudentSection", __base__=(family, StudentSection), inputs=(encoding, inputs)
    )


def _sections(task: Task, composed: Mapping[str, Any]) -> Mapping[str, type[SectionSettings]]:
    return {**learning_sections(task, composed), "evaluation": task.settings.evaluation}


def learning_inputs(settings: LearningSettings) -> Mapping[str, Path]:
    """Return the folders that students are trained from."""
    return {"generate": settings.data.folder, "teacher": settings.teacher_folder}


def check_learning(settings: LearningSettings, task: Task) -> None:
    """Refuse what the teacher, the task or the student's family do not allow."""
    check_same_constants(task, settings.teacher_folder, settings.data.folder)
    chosen, student = settings.distillation, settings.student
    encoding = task.encoding(student.inputs, settings.teacher_folder)  # refuses unknown inputs
    if (check_shape := FAMILIES[student.family].check) is not None:
        check_shape(student, encoding.feature_shape)
    pseudo_items(chosen, task)
    check_item_weights(chosen, task)
    if isinstance(student, TreesSettings):
        check_trees(chosen, settings.compression)
    if isinstance(student, HgqSettings):
        check_hgq(chosen, settings.compression)
    if isinstance(student, NetworkSettings):
        _check_compression(settings, student, task)
    if chosen.scheme == "offline" and not (chosen.of_network or chosen.beta):
        return
    record = Record.read(settings.teacher_folder)
    teacher = task.teacher(teacher_settings(task, record), settings.teacher_folder)
    check_truth(chosen, teacher)
    if chosen.scheme != "offline":
        if isinstance(student, NetworkSettings):
            snapshot_epoch(chosen, student.training.epochs)
        asked = open_teacher(teacher, task.name, f"distillation.scheme={chosen.scheme}")
        if chosen.scheme == "self":
            asked.outputs()  # some judge no network but their own
        elif isinstance(teacher, CalibratedTeacher):
            teacher.check_joint_training()
        check_alike(chosen)
    elif chosen.of_network:
        open_teacher(teacher, task.name, "distillation: reconstruction, feature and relation")


def _check(settings: Settings, task: Task) -> None:
    if settings.executor is not None:
        if settings.brief or not isinstance(task, ComparingTask):
            which = "brief students" if settings.brief else f"students of task={task.name}"
            raise ConfigError(
                f"executor={settings.executor.kind}: {which} are judged in one process; "
                "leave it out"
            )
        check_executor(settings.executor)
    check_learning(settings, task)


def _check_compression(settings: LearningSettings, student: NetworkSettings, task: Task) -> None:
    """Refuse numbers of nodes and features that the student cannot be left with."""
    compression = settings.compression
    if isinstance(compression, NodePruningSettings):
        node_budgets(compression, student.hidden_nodes())
        if compression.features is not None:
            encoding = task.encoding(student.inputs, settings.teacher_folder)  # type: ignore[attr-defined]
            feature_budget(compression, len(encoding.features))


def _run(settings: Settings, context: Context) -> Result:
    task, teacher = context.task, TeacherFolder(settings.teacher_folder)
    folder = StudentFolder(context.folder)
    dataset = task.open(settings.data.folder)
    encoding = task.encoding(settings.student.inputs, teacher.path)
    taught = teach(settings, context, dataset, encoding)
    rows = {name: dataset.evaluation_rows(name) for name in dataset.names}
    features = {
        name: encoding.apply(sample.items.values[rows[name]])
        for name, sample in dataset.samples().items()
    }
    given = {name: taught.student.predict(values) for name, values in features.items()}
    saturation = _saturation(settings, encoding, features)
    asked = {name: taught.answers[name][rows[name]] for name in dataset.names}
    targets = {name: taught.target(said) for name, said in asked.items()}
    metrics, headline = _judge(settings, context, dataset, folder, taught, given, asked, targets)
    keras_files.save(taught.student.model, folder.model)
    folder.write_encoding(encoding)
    folder.write_target(taught.target)
    kept = None
    if taught.student.structure is not None:
        kept = taught.student.structure.kept([feature.name for feature in encoding.features])
        folder.write_structure(kept)
        if kept.features is not None:
            context.run.set_tags({"features_kept": json.dumps(list(kept.features))})
        if not settings.brief:
            write_captions([draw_structure(kept, folder.path), *folder.pictures()], folder.path)
    folder.copy_constants(teacher.path, task.constants())
    write_saturation(saturation, folder.saturation)
    metrics = {
        **metrics,
        **saturation_metrics(saturation),
        **distance_to_teacher(given, targets, taught.target),
        **taught.student.metrics(),
        **topology_metrics(settings, context, dataset, encoding, taught.student.predict),
    }
    if taught.is_own:  # its teacher is not that of teacher_folder
        own = task.evaluate(asked, dataset).metrics
        metrics |= {f"own_teacher/{name}": value for name, value in own.items()}
    if taught.teacher is not None:
        keras_files.save(taught.teacher, folder.own_teacher)
    return Result(
        metrics=metrics,
        headline=headline,
        dataset_md5=dataset.md5,
        model=None if settings.brief else MODEL,
        note="" if kept is None else " ".join(kept.words()),
    )


def _judge(
    settings: Settings,
    context: Context,
    dataset: Dataset,
    folder: StudentFolder,
    taught: Taught,
    given: Answers,
    asked: Answers,
    targets: Answers,
) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """Evaluate the student's answers; write curves and pictures, unless it is to be brief.

    Returns:
        Metrics, and the names of the headline ones.
    """
    history = taught.student.history
    if settings.brief:
        folder.write_history(history)
        brief = context.task.evaluate(given, dataset)
        return brief.metrics, brief.headline
    judged = evaluate_model(
        "student",
        context.task,
        dataset,
        {ANSWER: given},
        ANSWER,
        history,
        folder,
        settings.evaluation,
        reference=TeacherFolder(settings.teacher_folder).curves(),
        # decisions have no order to compare a student's with; the scores behind them have
        targets=asked if taught.target.is_decision else targets,
        same_scale=not taught.target.is_decision,
        beside={
            ANSWER: {name: taught.target.answers_of(said) for name, said in given.items()},
            "teacher": asked,
        },
        services=services_of(settings.executor, context.work),
    )
    return judged.metrics, judged.by_answer[ANSWER].headline


def _saturation(
    settings: Settings, encoding: InputEncoding, features: Mapping[str, NDArray[np.float32]]
) -> list[Saturation]:
    """Count what the student's inputs cut off, in each sample."""
    chosen = settings.student
    if isinstance(chosen, NetworkSettings) and not chosen.quantized:
        return []  # floating point cuts nothing off
    exponents = encoding.exponents(chosen.input_integer)
    low, high = input_limits(chosen, len(encoding.features), exponents)
    names = [feature.name for feature in encoding.features]
    return [
        row
        for name, values in features.items()
        for row in measure_saturation(name, names, values, low, high)
    ]


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
    inputs=learning_inputs,
    run=_run,
    artifacts=("*.h5", "*.json", "*.csv", "*/*.csv", "plots/*"),
    sections=_sections,
    check=_check,
    kept_in_sweeps=True,
)
