"""Teacher against student on every signal, with the published AUC beside them."""

from collections.abc import Mapping

from l1distill.reporting.tables import Column, Table
from l1distill.tasks.anomaly import published
from l1distill.tasks.anomaly.plots.style import plain_name

PREFIX = "auc/"
WORKING_POINT = "1e-3"
NOT_PUBLISHED = "–"
TOO_FEW = "too few events"


def compare(teacher: Mapping[str, float], student: Mapping[str, float]) -> Table:
    """Return a table with a row for each signal that the student was evaluated on.

    Args:
        teacher: metrics of the teacher.
        student: metrics of the student.
    """
    signals = [name.removeprefix(PREFIX) for name in student if name.startswith(PREFIX)]
    return Table(
        title="Teacher against student",
        columns=(
            Column(name="signal"),
            Column(name="published AUC", numeric=True),
            Column(name="teacher AUC", numeric=True),
            Column(name="student AUC", numeric=True),
            Column(name=f"student TPR at FPR {WORKING_POINT}", numeric=True),
            Column(name="MSE to teacher", numeric=True),
        ),
        rows=[_row(signal, teacher, student) for signal in signals],
        notes=(
            f"Published: {published.PAPER}. {published.WHY_OURS_DIFFER} Student: "
            f"{student['parameters']:.0f} parameters, {100 * student['sparsity']:.0f}% of its "
            f"weights zero; teacher: {teacher['parameters']:.0f} parameters. The MSE is that of "
            "the standardized logarithm of the score.",
        ),
    )


def _row(signal: str, teacher: Mapping[str, float], student: Mapping[str, float]) -> list[str]:
    paper = published.AUC.get(signal)
    tpr = student.get(f"tpr_fpr{WORKING_POINT}/{signal}")
    return [
        plain_name(signal),
        NOT_PUBLISHED if paper is None else f"{paper:.2f}",
        _auc(teacher, signal),
        _auc(student, signal),
        TOO_FEW if tpr is None else f"{100 * tpr:.2f}%",
        f"{student[f'mse_to_teacher/{signal}']:.3f}",
    ]


def _auc(metrics: Mapping[str, float], signal: str) -> str:
    if f"auc/{signal}" not in metrics:
        return NOT_PUBLISHED
    return f"{metrics[f'auc/{signal}']:.3f} ± {metrics[f'auc_error/{signal}']:.3f}"
