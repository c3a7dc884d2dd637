"""How much each question of a search decides, by Optuna's PED-ANOVA (arXiv:2304.10255)."""

from collections.abc import Mapping

import numpy as np

from l1distill.search.plan import COSTS, Course
from l1distill.search.records import Outcome
from l1distill.search.sampling import Draw, told_trial

LOSS = "validation_loss"
LEAST = 10
"""Candidates that are needed at least: the best tenth is compared with all."""


def importances(course: Course, phase: int) -> Mapping[str, Mapping[str, float]]:
    """Return the share that each question has in being among the best tenth.

    Candidates are compared behind the first rung, which all of them reach with the same epochs.
    Questions that only some are asked, as the nodes of a third layer, are left out.

    Args:
        course: of the search.
        phase: of it.

    Returns:
        Of the validation loss, and of the LUT estimate where there is one, the share of each
        question by its name, largest first; empty where too few candidates were trained.
    """
    outcomes = [
        one
        for one in course.first.values()
        if one.loss is not None and course.drawn[one.number].phase == phase
    ]
    if len(outcomes) < LEAST:
        return {}
    found = {LOSS: _of(course, outcomes, [one.loss or 0.0 for one in outcomes])}
    if all(COSTS[0] in one.costs for one in outcomes):
        found[COSTS[0]] = _of(course, outcomes, [one.costs[COSTS[0]] for one in outcomes])
    return {name: shares for name, shares in found.items() if shares}


def _of(course: Course, outcomes: list[Outcome], values: list[float]) -> dict[str, float]:
    import optuna

    if np.ptp(values) == 0.0:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    for one, value in zip(outcomes, values, strict=True):
        drawn = course.drawn[one.number]
        draw = Draw(values=drawn.values, distributions=drawn.distributions, told=[value])
        study.add_trial(told_trial(draw))
    shares = optuna.importance.get_param_importances(study)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
