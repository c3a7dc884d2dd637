"""What a trigger cares about in one score per event: rates, agreement with the teacher, a floor."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.context import ScoreContext, Scores
from l1distill.evaluation.fidelity import Fidelity, follow_teacher, without_student
from l1distill.evaluation.rates import rate_metrics
from l1distill.evaluation.roc import Separation
from l1distill.evaluation.trivial import trivial_metrics, trivial_separations
from l1distill.evaluation.working_points import WorkingPoint, smallest, working_points


@dataclass(frozen=True, kw_only=True)
class TriggerStudy:
    """A teacher's or a student's scores, and what a trigger would make of them.

    Attributes:
        context: what they are judged beside.
        scores: of the evaluation items of each sample, (n,).
        taught: what a student should answer to the same items; None if the scores are a
            teacher's.
        fidelity: curves with intervals, and the comparison with the teacher.
        trivial: trivial score to signal to its separation.
        points: the working points that the background resolves, by name.
        metrics: flat.
    """

    context: ScoreContext
    scores: Scores
    taught: Scores | None
    fidelity: Fidelity
    trivial: Mapping[str, Mapping[str, Separation]]
    points: Mapping[str, WorkingPoint]
    metrics: Mapping[str, float]

    @cached_property
    def taught_points(self) -> Mapping[str, WorkingPoint]:
        """The working points of the teacher of a student; none of a teacher's own scores."""
        return {} if self.taught is None else working_points(self.taught[self.context.background])

    @property
    def summary(self) -> str:
        """The smallest working point in one line, with what its rate is assumed from."""
        point = smallest(self.points)
        if point is None:
            return "the background has too few test events for a working point"
        pure = self.metrics.get(f"pure_rate_khz_fpr{point}")
        beside = "" if pure is None else f", {pure:.3g} kHz of it pure"
        return (
            f"{self.metrics[f'rate_khz_fpr{point}']:.3g} kHz{beside}, at FPR {point} and an "
            f"assumed input rate of {self.context.input_rate_khz:g} kHz"
        )


def study_scores(
    answers: Mapping[str, NDArray[np.floating[Any]]],
    context: ScoreContext,
    teacher: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    *,
    same_scale: bool = True,
) -> TriggerStudy:
    """Judge scores as a trigger would.

    Args:
        answers: scores of the evaluation items of each sample, (n,) or (n, 1).
        context: background, trivial scores, reference triggers and input rate.
        teacher: of a student, what it should answer, likewise.
        same_scale: whether a student's scores are on its teacher's scale.

    Returns:
        The study; its metrics are those of :func:`.rates.rate_metrics`,
        :func:`.trivial.trivial_metrics` and, of a student, :func:`.fidelity.follow_teacher`.

    Raises:
        ValueError: an answer has more than one number per item.
    """
    scores = context.divide(_flat(answers))
    taught = None if teacher is None else context.divide(_flat(teacher))
    if taught is None:
        fidelity = without_student(scores, context.background)
    else:
        fidelity = follow_teacher(scores, taught, context.background, same_scale=same_scale)
    trivial = trivial_separations(context)
    return TriggerStudy(
        context=context,
        scores=scores,
        taught=taught,
        fidelity=fidelity,
        trivial=trivial,
        points=working_points(scores[context.background]),
        metrics={
            **rate_metrics(scores, context),
            **fidelity.metrics,
            **trivial_metrics(trivial),
        },
    )


def _flat(answers: Mapping[str, NDArray[np.floating[Any]]]) -> Scores:
    return {name: values.reshape(len(values)) for name, values in answers.items()}
