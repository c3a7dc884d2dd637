"""The evaluation that teacher and student stages share: metrics, curves, plots, captions."""

from collections.abc import Mapping

from l1distill.artifacts.folders import ModelFolder
from l1distill.data.dataset import Dataset
from l1distill.evaluation.evaluation import Curves, Evaluation, write_curves
from l1distill.reporting.pictures import write_captions
from l1distill.reporting.plots.history import draw_history
from l1distill.tasks.base import Answers, Drawing, Task
from l1distill.training.history import History


def evaluate_model(
    model: str,
    task: Task,
    dataset: Dataset,
    answers: Mapping[str, Answers],
    primary: str,
    history: History,
    folder: ModelFolder,
    reference: Curves | None = None,
) -> dict[str, Evaluation]:
    """Evaluate answers, and write curves, plots and history into a folder.

    Args:
        model: ``teacher`` or ``student``.
        task: evaluates and draws.
        dataset: what the answers are about.
        answers: name of an answer to its values on the evaluation items of each sample.
        primary: the answer that counts.
        history: of the training.
        folder: to write into.
        reference: curves of the teacher, to be drawn beside a student's.

    Returns:
        The evaluation of each answer.
    """
    evaluations = {name: task.evaluate(by_sample, dataset) for name, by_sample in answers.items()}
    write_curves(evaluations[primary].curves, folder.path)
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
        draw_history(history, folder.path, f"Training of the {model}"),
    ]
    write_captions(pictures, folder.path)
    return evaluations
