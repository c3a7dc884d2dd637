"""Pictures of a trigger study: which are drawn, and what they show."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from l1distill.evaluation.context import Look, Observable, ScoreContext
from l1distill.evaluation.trigger_study import TriggerStudy, study_scores
from l1distill.reporting.plots import rates, rocs
from l1distill.reporting.plots.trigger_study import draw_study


def _study(events: int, student: bool) -> TriggerStudy:
    rng = np.random.default_rng(0)
    teacher = {"background": rng.normal(size=events), "a_4l": rng.normal(1.0, 1.0, 100)}
    context = ScoreContext(
        background="background",
        input_rate_khz=1.0,
        trivial={"ht": teacher},
        triggers={"ht": {name: scores > 1.0 for name, scores in teacher.items()}},
        observables={"ht": Observable(label="HT [GeV]", values=teacher)},
        looks={
            "background": Look(label="background", color="gray"),
            "a_4l": Look(label="A", color="#bd1f01"),
        },
    )
    answers = {name: scores + rng.normal(0.0, 0.3, len(scores)) for name, scores in teacher.items()}
    return study_scores(answers, context, teacher if student else None)


@pytest.fixture(scope="module")
def study() -> TriggerStudy:
    return _study(1_200, student=True)


def test_a_student_is_drawn_beside_its_teacher(tmp_path: Path, study: TriggerStudy) -> None:
    pictures = draw_study(study, "student", tmp_path)
    drawn = {path.name for path in (tmp_path / "plots").iterdir()}
    assert drawn == {picture.path.name for picture in pictures}
    assert drawn == {
        *("roc_signals.png", "agreement.png", "score_against_score.png", "rate.png"),
        "turn_on.png",
    }


def test_too_few_events_are_not_drawn(tmp_path: Path) -> None:
    pictures = draw_study(_study(15, student=False), "teacher", tmp_path)
    assert [picture.path.name for picture in pictures] == ["roc_signals.png"]


def _drawn(monkeypatch: pytest.MonkeyPatch, module: object) -> list[Figure]:
    figures: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, _: figures.append(figure))
    return figures


def test_rocs_end_where_ten_events_are_left_and_trivial_scores_are_thin(
    monkeypatch: pytest.MonkeyPatch, study: TriggerStudy, tmp_path: Path
) -> None:
    figures = _drawn(monkeypatch, rocs)
    rocs.draw_rocs(study, tmp_path / "roc.png")
    above, below = figures[0].axes
    lines = {line.get_label(): line for line in above.lines}
    assert {"student", "teacher", "ht"} <= set(lines)
    assert lines["ht"].get_linewidth() < lines["student"].get_linewidth()
    assert lines["student"].get_color() == "#bd1f01"
    for name in ("student", "teacher", "ht"):
        assert min(lines[name].get_xdata()) == pytest.approx(10 / 1_200)
    assert len(above.collections) == 2, "a band for each model"
    ratio = below.lines[0].get_ydata()
    student, teacher = (lines[name].get_ydata() for name in ("student", "teacher"))
    np.testing.assert_allclose(ratio, student / teacher)


def test_axes_have_units(
    monkeypatch: pytest.MonkeyPatch, study: TriggerStudy, tmp_path: Path
) -> None:
    figures = _drawn(monkeypatch, rates)
    rates.draw_rates(study, tmp_path / "rate.png")
    rates.draw_turn_on(study, tmp_path / "turn_on.png")
    assert figures[0].axes[0].get_ylabel() == "trigger rate [kHz]"
    assert figures[1].axes[0].get_xlabel() == "HT [GeV]"
    assert figures[1].axes[0].get_ylabel() == "efficiency at FPR 1e-2"
