"""Pictures of a trigger study: ROC over the teacher, agreement, scores, rates, turn-on curves."""

from pathlib import Path

from l1distill.evaluation.trigger_study import TriggerStudy
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.agreement import draw_agreement, draw_score_against_score
from l1distill.reporting.plots.rates import draw_rates, draw_turn_on
from l1distill.reporting.plots.rocs import draw_rocs


def draw_study(study: TriggerStudy, model: str, folder: Path) -> list[Picture]:
    """Draw everything that the sample resolves into ``folder/plots``.

    Args:
        study: of a teacher or a student.
        model: ``teacher`` or ``student``.
        folder: of the model.

    Returns:
        The pictures with captions; none of a curve that too few background events are left for.
    """
    plots, pictures = folder / FOLDER, []
    has_signals = len(study.scores) > 1
    over = " over teacher" if study.taught is not None else ""
    if study.fidelity.bands and has_signals:
        draw_rocs(study, plots / "roc_signals.png")
        pictures.append(
            Picture(
                caption=f"ROC of the {model}{over}, with trivial scores (thin)",
                path=plots / "roc_signals.png",
            )
        )
    if study.fidelity.bands and study.taught is not None:
        draw_agreement(study, plots / "agreement.png")
        pictures.append(
            Picture(
                caption="Of the events that the teacher accepts, those that the student accepts "
                "at the same background rate",
                path=plots / "agreement.png",
            )
        )
    if study.taught is not None:
        draw_score_against_score(study, plots / "score_against_score.png")
        pictures.append(
            Picture(
                caption="The student's score against its teacher's",
                path=plots / "score_against_score.png",
            )
        )
    if draw_rates(study, plots / "rate.png"):
        pictures.append(
            Picture(caption="Trigger rate against the threshold", path=plots / "rate.png")
        )
    if draw_turn_on(study, plots / "turn_on.png"):
        pictures.append(
            Picture(
                caption="Efficiency at the working point against what is triggered on now",
                path=plots / "turn_on.png",
            )
        )
    return pictures
