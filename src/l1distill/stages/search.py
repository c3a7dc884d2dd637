"""search: many candidates for a student, trained together; the best are trained anew."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError, DataError
from l1distill.core.settings import Settings as SectionSettings
from l1distill.data.encoding import InputEncoding
from l1distill.distillation.answers_alone import Demand, check_answers_alone
from l1distill.executor.choice import check_executor
from l1distill.executor.settings import ExecutorSettings, ProcessesSettings
from l1distill.models.mlp import StudentSettings
from l1distill.search.plan import Course, Plan
from l1distill.search.problem import Problem
from l1distill.search.settings import SearchSettings, Strategy
from l1distill.stages.offline_lesson import Lesson, offline_lesson
from l1distill.stages.recorded_teacher import teacher_settings
from l1distill.stages.search_finalists import Finalists, of_finalist
from l1distill.stages.search_hgq import check_hgq_search, walk_front
from l1distill.stages.search_identity import check_search, keep_database, open_store
from l1distill.stages.search_outputs import metrics_of, note_of, trained, write_outputs
from l1distill.stages.search_workers import search
from l1distill.stages.stage import Context, Result, Stage
from l1distill.stages.student import (
    LearningSettings,
    check_learning,
    learning_inputs,
    learning_sections,
)
from l1distill.tasks.base import ScoringTask, Task

HEADLINE = ("search/candidates", "search/best_mse_to_teacher")
_FIXED = {
    "batch_norm": "absent",
    "float_epochs": 0,
    "quantized": True,
    "output_range": "signed",
}
"""Settings of a student that candidates have no other value of."""


class Settings(LearningSettings):
    """Settings of ``l1distill search``."""

    strategy: Strategy = "co"
    """``post``: layers in floating point first, then types for the best of them; ``co``: layers and
    types at once; ``front``: likewise, judged by loss, LUTs and cycles; ``hgq``: one training of
    ``student=hgq`` that walks the front, ``candidates`` snapshots of it."""
    search: SearchSettings = SearchSettings()
    """Candidates, sampler, rungs and space."""
    executor: ExecutorSettings = ProcessesSettings()
    """Where candidates are trained, a population on each worker at a time."""
    promote: bool = False
    """Whether the best finalist goes through the pipeline, up to the verdict of the gates; in a
    folder of its own beside the output."""
    output: Path = Path("outputs/search")
    """Folder that the stage writes."""

    @model_validator(mode="after")
    def _finalists_are_pruned_in_time(self) -> "Settings":
        pruning = self.compression
        if isinstance(pruning, PruningSettings) and max(self.search.space.sparsity) > 0:
            most = {"sparsity": max(self.search.space.sparsity)}
            training = getattr(self.student, "training", None)
            if training is not None:  # a family without one is refused by name later
                pruning.model_copy(update=most).check(training.epochs, "student")
        return self


def _sections(task: Task, composed: Mapping[str, Any]) -> Mapping[str, type[SectionSettings]]:
    return learning_sections(task, composed)


def _check(settings: Settings, task: Task) -> None:
    if settings.strategy == "hgq":
        check_hgq_search(settings)
        check_learning(settings, task)
        return
    check_executor(settings.executor)
    chosen, student = settings.distillation, settings.student
    check_answers_alone(
        chosen,
        [
            Demand(
                key="student.family",
                value=student.family,
                possible="mlp",
                instead="student=mlp",
            ),
            *(
                Demand(
                    key=f"student.{key}",
                    value=getattr(student, key, possible),
                    possible=possible,
                )
                for key, possible in _FIXED.items()
            ),
            Demand(
                key="compression.method",
                value=settings.compression.method,
                possible="pruning",
                instead="compression=pruning",
            ),
        ],
        "a search trains quantized multilayer perceptrons, pruned by magnitude, on what a trained "
        "teacher answers",
    )
    if settings.strategy == "post" and settings.search.candidates < 2:
        raise ConfigError("search.candidates=1: strategy=post searches twice; ask for two at least")
    if settings.search.space.knowledge and chosen.response.answer == "decision":
        raise ConfigError(
            "search.space.knowledge: a decision is always learned by its cross-entropy; take "
            "distillation.response.answer=score, or leave it empty"
        )
    if settings.promote and not settings.search.finalists:
        raise ConfigError("search.finalists=0: promote=true takes the best of them; ask for one")
    check_learning(settings, task)
    check_search(settings, learning_inputs(settings))


def _run(settings: Settings, context: Context) -> Result:
    task, record = context.task, context.records["teacher"]
    context.run.log_parameters(record.section("teacher"))
    dataset = task.open(settings.data.folder)
    encoding = task.encoding(settings.student.inputs, settings.teacher_folder)
    teacher = task.teacher(teacher_settings(task, record), settings.teacher_folder)
    lesson = offline_lesson(settings, context, dataset, encoding, teacher)
    problem = _problem(settings, task, dataset, encoding, lesson)
    if settings.strategy == "hgq":
        return walk_front(settings, context, problem, dataset.training_sample, dataset.md5)
    plan = _plan(settings, lesson)
    store = open_store(settings, context.hashes, context.work)
    try:
        before, start = len(store.outcomes()), time.monotonic()
        complete = search(store, plan, problem, settings.executor, context.work)
        hours = (time.monotonic() - start) / 3600
        course = Course(plan, store)
        _refuse_without_result(course, complete)
        metrics = metrics_of(course, dataset.training_sample)
        if len(store.outcomes()) > before:
            metrics["search/candidates_per_hour"] = trained(course) / hours
        finalists = Finalists(settings, context, store, problem, encoding, lesson)
        complete = complete and finalists.train(course)
        metrics |= finalists.write()
    finally:
        store.close()
    keep_database(context.work, context.folder)
    write_outputs(course, context.folder)
    finalists.log(course)
    return Result(
        metrics=metrics,
        headline=tuple(name for name in HEADLINE if name in metrics),
        dataset_md5=dataset.md5,
        note=note_of(course, complete=complete),
        interrupted=not complete,
        tracking_share="search/tracking_share",
        conclude=lambda: _promote(settings, course, finalists.best()),
    )


def _promote(settings: Settings, course: Course, best: int | None) -> None:
    if settings.promote and best is not None:
        from l1distill.stages.search_promotion import promote

        promote(settings, *of_finalist(settings, course.candidate(best)))


def _problem(
    settings: Settings, task: Task, dataset: Any, encoding: InputEncoding, lesson: Lesson
) -> Problem:
    samples = {}
    for name, sample in dataset.samples().items():
        rows = dataset.evaluation_rows(name)
        features = encoding.apply(sample.items.values[rows])
        samples[name] = features, lesson.target(lesson.answers[name][rows])
    scores = isinstance(task, ScoringTask) and lesson.train.targets.shape[1] == 1
    return Problem(
        train=lesson.train,
        validation=lesson.validation,
        samples=samples,
        background=dataset.training_sample if scores else "",
        target=lesson.target,
        distillation=settings.distillation,
        exponents=tuple(encoding.exponents(settings.student.input_integer)),
    )


def _plan(settings: Settings, lesson: Lesson) -> Plan:
    names = StudentSettings.model_fields
    base = {name: value for name, value in dict(settings.student).items() if name in names}
    return Plan(
        strategy=settings.strategy,
        settings=settings.search,
        base=StudentSettings.model_validate(base),
        features=lesson.train.features.shape[1],
        outputs=lesson.train.targets.shape[1],
        items=len(lesson.train.features),
        seed=settings.seed,
        prune_output=getattr(settings.compression, "prune_output", True),
    )


def _refuse_without_result(course: Course, complete: bool) -> None:
    if not complete and not course.outcomes:
        print("search: no candidate has been trained to its first rung yet", file=sys.stderr)
        raise KeyboardInterrupt
    if complete and not course.finished():
        raise DataError(
            f"search: none of {len(course.drawn)} candidates could be trained, as their losses "
            "are not finite; try smaller search.space.learning_rate"
        )


STAGE = Stage(
    name="search",
    settings=Settings,
    inputs=learning_inputs,
    run=_run,
    artifacts=("*.json", "*.csv", "finalists/*", "curves/*/*", "plots/*"),
    sections=_sections,
    check=_check,
)
