from l1distill.tasks.anomaly.comparison import NOT_PUBLISHED, TOO_FEW, compare
from l1distill.tasks.anomaly.events import SIGNALS


def _metrics(auc: float, signals: tuple[str, ...] = SIGNALS) -> dict[str, float]:
    metrics = {"parameters": 2401.0, "sparsity": 0.5, "mse_to_teacher/background": 0.1}
    for signal in signals:
        metrics |= {f"auc/{signal}": auc, f"auc_error/{signal}": 0.01}
        metrics |= {f"mse_to_teacher/{signal}": 0.2, f"tpr_fpr1e-3/{signal}": 0.05}
    return metrics


def test_each_signal_stands_beside_its_published_auc() -> None:
    table = compare(_metrics(0.9), _metrics(0.8))
    assert [column.name for column in table.columns] == [
        *("signal", "published AUC", "teacher AUC", "student AUC"),
        *("student TPR at FPR 1e-3", "MSE to teacher"),
    ]
    ours = ["0.900 ± 0.010", "0.800 ± 0.010", "5.00%", "0.200"]
    assert [list(row) for row in table.rows] == [
        ["LQ → bτ", "0.94", *ours],
        ["A → 4ℓ", "0.96", *ours],
        ["h⁰ → ττ", "0.88", *ours],
        ["h± → τν", "0.96", *ours],
    ]
    (note,) = table.notes
    for words in ("arXiv:2108.03986", "2401 parameters, 50% of its weights zero"):
        assert words in note


def test_an_unresolved_working_point_is_said() -> None:
    student = _metrics(0.8)
    del student["tpr_fpr1e-3/a_4l"]
    rows = {row[0]: row for row in compare(_metrics(0.9), student).rows}
    assert rows["A → 4ℓ"][4] == TOO_FEW
    assert rows["LQ → bτ"][4] == "5.00%"


def test_a_signal_that_no_paper_published_is_compared_without_it() -> None:
    signals = ("zprime", "a_4l")
    table = compare(_metrics(0.9, signals), _metrics(0.8, signals))
    assert [list(row[:3]) for row in table.rows] == [
        ["zprime", NOT_PUBLISHED, "0.900 ± 0.010"],
        ["A → 4ℓ", "0.96", "0.900 ± 0.010"],
    ]
    assert NOT_PUBLISHED == "–"


def test_a_teacher_that_was_not_asked_about_a_signal_leaves_a_gap() -> None:
    (row,) = compare(_metrics(0.9, ("a_4l",)), _metrics(0.8, ("zprime",))).rows
    assert list(row[:4]) == ["zprime", "–", "–", "0.800 ± 0.010"]
