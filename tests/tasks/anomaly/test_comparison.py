from l1distill.tasks.anomaly.comparison import compare, working_point
from l1distill.tasks.anomaly.events import SIGNALS


def _metrics(auc: float, signals: tuple[str, ...] = SIGNALS) -> dict[str, float]:
    metrics = {"parameters": 2401.0, "sparsity": 0.5, "mse_to_teacher/background": 0.1}
    for signal in signals:
        metrics |= {f"auc/{signal}": auc, f"auc_error/{signal}": 0.01}
        metrics |= {f"mse_to_teacher/{signal}": 0.2, f"auc_difference/{signal}": auc - 0.9}
        metrics |= {f"rank_correlation/{signal}": 0.7, f"rank_correlation_error/{signal}": 0.02}
        metrics |= {f"wasserstein/{signal}": 0.3}
    return metrics


def _at(point: str, tpr: float, signals: tuple[str, ...] = SIGNALS) -> dict[str, float]:
    rates = {"rate_khz": 0.005, "pure_rate_khz": 0.0017}
    metrics = {
        "working_point_fpr": float(point),
        "input_rate_khz": 0.5,
        f"threshold_fpr{point}": 2.75978,
        **{f"{n}_fpr{point}{e}": f * v for n, v in rates.items() for e, f in ENDS.items()},
    }
    for signal in (*signals, "background"):
        metrics |= {f"agreement_fpr{point}{e}/{signal}": f * 0.4 for e, f in ENDS.items()}
        metrics |= {f"tpr_fpr{point}/{signal}": tpr}
    return metrics


ENDS = {"": 1.0, "_low": 0.8, "_high": 1.25}


def test_the_working_point_is_the_first_number() -> None:
    student = _metrics(0.8) | _at("1e-2", 0.15)
    table = compare(_metrics(0.9) | _at("1e-2", 0.25), student)[0]
    assert table.lead == (
        "At a false positive rate of 1e-2, the smallest that the background resolves, the student "
        "triggers at 5 Hz [4, 6.25], 1.7 Hz [1.36, 2.12] of it pure: no reference trigger takes "
        "it. Its threshold is 2.76."
    )
    assert [column.name for column in table.columns] == [
        *("signal", "student TPR", "teacher TPR", "student / teacher", "agreement"),
    ]
    assert list(table.rows[1]) == ["A → 4ℓ", "15%", "25%", "–", "40% [32, 50]"]
    assert list(table.rows[-1]) == ["background", "–", "–", "–", "40% [32, 50]"]
    assert "assumed to be 0.5 kHz" in table.notes[0]


def test_an_unresolved_working_point_is_said() -> None:
    table = compare(_metrics(0.9), _metrics(0.8))[0]
    assert "too few test events" in table.lead
    assert list(table.rows) == []


def test_names_of_working_points_are_those_of_the_metrics() -> None:
    points = [working_point({"working_point_fpr": fpr}) for fpr in (1e-2, 1e-3, 1e-5)]
    assert points == ["1e-2", "1e-3", "1e-5"]
    assert working_point({}) is None


def test_each_signal_stands_beside_its_published_auc() -> None:
    table = compare(_metrics(0.9), _metrics(0.8))[1]
    assert [column.name for column in table.columns] == [
        *("signal", "published AUC", "teacher AUC", "student AUC", "student less teacher"),
        *("MSE to teacher", "rank correlation", "Wasserstein distance"),
    ]
    ours = ["0.900 ± 0.010", "0.800 ± 0.010", "-0.100", "0.200", "0.700 ± 0.020", "0.300"]
    assert [list(row) for row in table.rows] == [
        ["LQ → bτ", "0.94", *ours],
        ["A → 4ℓ", "0.96", *ours],
        ["h⁰ → ττ", "0.88", *ours],
        ["h± → τν", "0.96", *ours],
    ]
    (note,) = table.notes
    for words in ("arXiv:2108.03986", "2401 parameters, 50% of its weights zero"):
        assert words in note


def test_a_signal_that_no_paper_published_is_compared_without_it() -> None:
    signals = ("zprime", "a_4l")
    table = compare(_metrics(0.9, signals), _metrics(0.8, signals))[1]
    assert [list(row[:3]) for row in table.rows] == [
        ["zprime", "–", "0.900 ± 0.010"],
        ["A → 4ℓ", "0.96", "0.900 ± 0.010"],
    ]


def test_a_teacher_that_was_not_asked_about_a_signal_leaves_a_gap() -> None:
    (row,) = compare(_metrics(0.9, ("a_4l",)), _metrics(0.8, ("zprime",)))[1].rows
    assert list(row[:4]) == ["zprime", "–", "–", "0.800 ± 0.010"]


def test_trivial_scores_stand_above_teacher_and_student() -> None:
    trivial = {"trivial/ht/auc/a_4l": 0.673, "trivial/ht/tpr_fpr1e-3/a_4l": 0.108}
    student = _metrics(0.8) | _at("1e-3", 0.15) | trivial
    table = compare(_metrics(0.9) | _at("1e-3", 0.25), student)[2]
    assert [list(row) for row in table.rows] == [
        ["HT of the jets", "–", "0.673 (11%)", "–", "–"],
        ["teacher", *["0.900 (25%)"] * 4],
        ["student", *["0.800 (15%)"] * 4],
    ]
    assert compare(_metrics(0.9), _metrics(0.8))[2].rows == []
