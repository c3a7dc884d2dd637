"""The evaluation that teacher and student stages share: metrics, curves, plots, captions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from l1distill.artifacts.folders import ModelFolder
from l1distill.data.dataset import Dataset
from l1distill.evaluation.evaluation import Curves, Evaluation, write_curves
from l1distill.evaluation.study_curves import study_curves
from l1distill.evaluation.trigger_study import TriggerStudy, study_scores
from l1distill.reporting.pictures import write_captions
from l1distill.reporting.plots.history import draw_history
from l1distill.reporting.plots.trigger_study import draw_study
from l1distill.tasks.base import ComparingTask, ScoringTask, Task
from l1distill.tasks.records import Answers, Drawing, Services
from l1distill.tasks.settings import EvaluationSettings
from l1distill.training.history import History


@dataclass(frozen=True, kw_only=True)
class JudgedModel:
    """How well a trained model does.

    Attributes:
        by_answer: the evaluation of each of its answers.
        metrics: of the answer that counts: its evaluation's, and what a trigger cares about where
            answers are scores.
    """

    by_answer: Mapping[str, Evaluation]
    metrics: Mapping[str, float]


def evaluate_model(
    model: str,
    task: Task,
    dataset: Dataset,
    answers: Mapping[str, Answers],
    primary: str,
    history: History,
    folder: ModelFolder,
    settings: EvaluationSettings,
    reference: Curves | None = None,
    targets: Answers | None = None,
    *,
    same_scale: bool = True,
    beside: Mapping[str, Answers] | None = None,
    services: Services | None = None,
) -> JudgedModel:
    """Evaluate answers, and write curves, plots and history into a folder.

    Args:
        model: ``teacher`` or ``student``.
        task: evaluates and draws.
        dataset: what the answers are about.
        answers: name of an answer to its values on the evaluation items of each sample.
        primary: the answer that counts.
        history: of the training.
        folder: to write into.
        settings: of the evaluation.
        reference: curves of the teacher, to be drawn beside a student's.
        targets: what a student should have answered, likewise.
        same_scale: whether a student's answers are on the scale of its targets.
        beside: student and teacher by these names, their answers in the teacher's own scale.
        services: where models are judged beside one another; None: in this process.

    Returns:
        The evaluation of each answer, and all metrics of the one that counts.
    """
    if isinstance(task, ComparingTask):
        models = beside or {model: answers[primary]}
        evaluations = {primary: task.evaluate_together(models, dataset, settings, services)}
    else:
        evaluations = {name: task.evaluate(given, dataset) for name, given in answers.items()}
    write_curves(evaluations[primary].curves, folder.path)
    study = _study(task, dataset, answers[primary], settings, targets, same_scale=same_scale)
    drawing = Drawing(
        model=model,
        answers=answers,
        evaluations=evaluations,
        primary=primary,
        reference=reference,
    )
    folder.write_history(history)
    pictures = [
        *task.draw_model(drawing, dataset, folder.path),
        *([] if study is None else draw_study(study, model, folder.path)),
        draw_history(history, folder.path, f"Training of the {model}"),
    ]
    write_captions(pictures, folder.path)
    if study is None:
        return JudgedModel(by_answer=evaluations, metrics=evaluations[primary].metrics)
    write_curves(study_curves(study), folder.path)
    print(f"{model}: {study.summary}", file=sys.stderr, flush=True)
    return JudgedModel(
        by_answer=evaluations, metrics={**evaluations[primary].metrics, **study.metrics}
    )


def _study(
    task: Task,
    dataset: Dataset,
    answers: Answers,
    settings: EvaluationSettings,
    targets: Answers | None,
    *,
    same_scale: bool,
) -> TriggerStudy | None:
    if not isinstance(task, ScoringTask):
        return None
    context = task.score_context(settings, dataset)
    return study_scores(answers, context, targets, same_scale=same_scale)
