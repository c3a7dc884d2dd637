"""Curves of a trigger study over the threshold, as files that ``dvc plots`` draws."""

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.curves import Curve
from l1distill.evaluation.evaluation import Curves
from l1distill.evaluation.rates import rate_curve
from l1distill.evaluation.trigger_study import TriggerStudy
from l1distill.evaluation.working_points import highest_refused

THRESHOLD = "threshold"


def study_curves(study: TriggerStudy) -> Curves:
    """Return trigger rates and agreement with the teacher over the threshold on the score.

    Args:
        study: of a teacher or a student.

    Returns:
        ``rate`` with ``total`` and, where there are reference triggers, ``pure`` [kHz]; of a
        student ``agreement`` with each sample: of the events that the teacher accepts, the share
        that the student accepts at the same background rate, over the student's threshold. Curves
        end where ten background events are left; none is empty.
    """
    return {
        family: {name: curve for name, curve in curves.items() if len(curve.x)}
        for family, curves in (("rate", _rates(study)), ("agreement", _agreement(study)))
    }


def _rates(study: TriggerStudy) -> dict[str, Curve]:
    rates = rate_curve(study.scores, study.context)
    if rates is None:
        return {}
    curves = {"total": _curve(rates.threshold, rates.total[0], "rate_khz")}
    if study.context.triggers:
        curves["pure"] = _curve(rates.threshold, rates.pure[0], "rate_khz")
    return curves


def _agreement(study: TriggerStudy) -> dict[str, Curve]:
    ranked = np.sort(study.scores[study.context.background])
    curves = {}
    for name, bands in study.fidelity.bands.items():
        if bands.agreement is not None:
            thresholds = np.array(
                [
                    np.nextafter(highest_refused(ranked, fpr), np.inf) if fpr < 1.0 else ranked[0]
                    for fpr in bands.fpr
                ]
            )
            curves[name] = _curve(thresholds[::-1], bands.agreement.value[::-1], "agreement")
    return curves


def _curve(x: NDArray[np.float64], y: NDArray[np.float64], y_name: str) -> Curve:
    known = np.isfinite(y)
    return Curve(x=x[known], y=y[known], x_name=THRESHOLD, y_name=y_name)
