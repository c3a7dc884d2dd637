"""Evaluation of anomaly scores: AUC and TPR of each signal against the background."""

from collections.abc import Mapping

from l1distill.data.dataset import Dataset
from l1distill.evaluation.evaluation import Evaluation
from l1distill.evaluation.roc import Separation, separations, to_curve, to_metrics
from l1distill.tasks.records import Answers

ROC = "roc"


def separate(answers: Answers, dataset: Dataset) -> dict[str, Separation]:
    """Measure how the scores of each signal separate from those of the background.

    Args:
        answers: sample to scores, (n,) or (n, 1), of its evaluation items.
        dataset: names the background.
    """
    scores = {name: values.reshape(len(values)) for name, values in answers.items()}
    background = scores.pop(dataset.training_sample)
    return separations(background, scores)


def evaluate(answers: Answers, dataset: Dataset) -> Evaluation:
    """Evaluate scores; see :func:`separate` and :func:`.roc.to_metrics`.

    The metric to rank by is the smallest AUC of a signal: ``auc/<signal>``.
    """
    results = separate(answers, dataset)
    metrics = to_metrics(results)
    return Evaluation(
        metrics=metrics,
        curves={ROC: {name: to_curve(result.roc) for name, result in results.items()}},
        primary=_worst(results),
        headline=tuple(f"auc/{name}" for name in results),
    )


def _worst(results: Mapping[str, Separation]) -> str:
    return f"auc/{min(results, key=lambda name: results[name].auc)}" if results else "auc"
