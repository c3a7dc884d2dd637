"""teacher: items of a data set in, a trained teacher and its answers out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from l1distill.artifacts.folders import TeacherFolder
from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError
from l1distill.core.progress import progress
from l1distill.data.dataset import Dataset
from l1distill.data.splits import Split
from l1distill.distillation.teacher import (
    AnyTeacher,
    StreamingTeacher,
    TrainedTeacher,
    members_of,
    train_teacher,
)
from l1distill.evaluation.evaluation import write_curves
from l1distill.executor.choice import check_executor
from l1distill.executor.settings import ExecutorSettings
from l1distill.models import keras_files
from l1distill.stages.evaluate import evaluate_model
from l1distill.stages.event_answers import Asked, answers_of_events
from l1distill.stages.services import services_of
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.base import Task
from l1distill.tasks.records import Services
from l1distill.tasks.settings import EvaluationSettings, TeacherSettings


class Settings(StageSettings):
    """Settings of ``l1distill teacher``."""

    teacher: TeacherSettings
    """Architecture and training."""
    compression: PruningSettings = PruningSettings(sparsity=0.0, begin_epoch=0, end_epoch=1)
    """Pruning while it is trained."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How its answers are judged."""
    executor: ExecutorSettings | None = None
    """Where a trained teacher of whole events answers and is judged, a block of events at a time;
    its answers and metrics do not depend on it. null: in this process, as all other teachers."""
    output: Path = Path("models/teacher")
    """Folder that the stage writes."""

    @model_validator(mode="before")
    @classmethod
    def _is_pruned_by_weights(cls, given: Any) -> Any:
        section = given.get("compression") if isinstance(given, Mapping) else None
        method = section.get("method") if isinstance(section, Mapping) else None
        if method not in (None, "pruning"):
            raise ValueError(
                f"compression.method={method}: for students alone; a teacher takes "
                "compression=pruning or compression=none"
            )
        return given

    @model_validator(mode="after")
    def _pruning_ends_in_time(self) -> "Settings":
        self.compression.check(self.teacher.training.epochs, "teacher")
        return self


def _inputs(settings: Settings) -> Mapping[str, Path]:
    return {"generate": settings.data.folder}


def _check(settings: Settings, task: Task) -> None:
    teacher = task.teacher(settings.teacher, settings.data.folder)  # refuses what the data lacks
    if settings.compression.sparsity > 0.0 and not teacher.prunable_layers():
        raise ConfigError(
            f"compression.sparsity={settings.compression.sparsity:g}: a teacher of this kind has "
            "no layers that can be pruned; set compression=none"
        )
    if settings.executor is not None:
        if not isinstance(teacher, StreamingTeacher):
            raise ConfigError(
                f"executor={settings.executor.kind}: the teachers of task={task.name} answer in "
                "one process; leave it out"
            )
        check_executor(settings.executor)


def _run(settings: Settings, context: Context) -> Result:
    task, folder = context.task, TeacherFolder(context.folder)
    dataset = task.open(settings.data.folder)
    teacher = task.teacher(settings.teacher, settings.data.folder)
    trained = _train(teacher, dataset, settings, context)
    keras_files.save(trained.model, folder.model)
    services = services_of(settings.executor, context.work)
    answers = _answers(teacher, trained, dataset, settings, context, services)
    handed_on = task.handed_on(settings.teacher)
    answered = {
        answer: {
            name: by_answer[answer][dataset.evaluation_rows(name)]
            for name, by_answer in answers.items()
        }
        for answer in answers[dataset.training_sample]
    }
    judged = evaluate_model(
        "teacher",
        task,
        dataset,
        answered,
        handed_on,
        trained.history,
        folder,
        settings.evaluation,
        services=services,
    )
    folder.write_answers({name: by_answer[handed_on] for name, by_answer in answers.items()})
    folder.copy_constants(settings.data.folder, task.constants())
    metrics: dict[str, float] = {}
    for answer, evaluation in judged.by_answer.items():
        metrics |= {f"{answer}/{name}": value for name, value in evaluation.metrics.items()}
        write_curves(evaluation.curves, folder.path, answer)
    return Result(
        metrics={**metrics, **judged.metrics, **trained.metrics()},
        headline=judged.by_answer[handed_on].headline,
        dataset_md5=dataset.md5,
    )


def _train(
    teacher: AnyTeacher, dataset: Dataset, settings: Settings, context: Context
) -> TrainedTeacher:
    training = settings.teacher.training
    epochs = training.epochs * members_of(teacher)
    with context.epochs("train teacher", epochs) as on_epoch:
        if isinstance(teacher, StreamingTeacher):
            return teacher.train_on(
                dataset, seed=settings.seed, on_epoch=on_epoch, checkpoint=context.checkpoint
            )
        return train_teacher(
            teacher,
            context.task.training_arrays(dataset, Split.TRAIN),
            context.task.training_arrays(dataset, Split.VALIDATION),
            training,
            settings.compression,
            seed=settings.seed,
            on_epoch=on_epoch,
            checkpoint=context.checkpoint,
        )


def _answers(
    teacher: AnyTeacher,
    trained: TrainedTeacher,
    dataset: Dataset,
    settings: Settings,
    context: Context,
    services: Services | None,
) -> Mapping[str, Mapping[str, NDArray[np.float32]]]:
    """Return what a trained teacher says of every item of each sample, by the answer's name."""
    if not isinstance(teacher, StreamingTeacher):
        return {
            name: teacher.answers(trained.model, sample.items.values)
            for name, sample in dataset.samples().items()
        }
    if services is not None:
        asked = Asked(
            task=settings.task,
            teacher=settings.teacher,
            data=settings.data.folder.absolute(),
            model=TeacherFolder(context.folder).model.absolute(),
        )
        return answers_of_events(asked, dataset, services)
    events = sum(dataset.card.files[name].events for name in dataset.names)
    with progress("answer", events, "events") as advance:
        return {
            name: teacher.answers_on(trained.model, dataset, name, advance)
            for name in dataset.names
        }


STAGE = Stage(
    name="teacher",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    check=_check,
    artifacts=("*.h5", "*.json", "*.csv", "*/**/*.csv", "plots/*"),
    sections=lambda task, composed: {
        "teacher": task.settings.teacher.chosen_by(composed.get("teacher")),
        "evaluation": task.settings.evaluation,
    },
    kept_in_sweeps=True,
)
