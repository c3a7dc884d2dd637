"""Teacher against student on every signal: working point, distances, published AUC, floor."""

from collections.abc import Mapping, Sequence

from l1distill.evaluation.metric_names import with_suffix
from l1distill.evaluation.roc import FPR_POINTS
from l1distill.reporting.tables import Column, Table
from l1distill.tasks.anomaly import published
from l1distill.tasks.anomaly.plots.style import plain_name
from l1distill.tasks.anomaly.trivial_scores import NAMES

PREFIX = "auc/"
NOT_MEASURED = "–"
Metrics = Mapping[str, float]


def compare(teacher: Metrics, student: Metrics) -> list[Table]:
    """Return the tables of a report, the working point first.

    Args:
        teacher: metrics of the teacher.
        student: metrics of the student, which name the signals.
    """
    signals = [name.removeprefix(PREFIX) for name in student if name.startswith(PREFIX)]
    point = working_point(student)
    return [
        _at_working_point(teacher, student, signals, point),
        _against_student(teacher, student, signals),
        _floor(teacher, student, signals, point),
    ]


def working_point(metrics: Metrics) -> str | None:
    """Return the name of the smallest false positive rate that was resolved; None if none was."""
    fpr = metrics.get("working_point_fpr")
    return next((name for name, point in FPR_POINTS.items() if point == fpr), None)


def _at_working_point(
    teacher: Metrics, student: Metrics, signals: Sequence[str], point: str | None
) -> Table:
    title = "What the trigger takes"
    if point is None:
        lead = (
            "The background has too few test events for a working point: at no false positive rate "
            "of 1e-2 or less would ten of them pass."
        )
        return Table(title=title, columns=(), rows=(), lead=lead)
    pure = f"pure_rate_khz_fpr{point}"
    beside = f", {_rate(student, pure)} of it pure: no reference trigger takes it" if (
        pure in student
    ) else ""  # fmt: skip
    lead = (
        f"At a false positive rate of {point}, the smallest that the background resolves, the "
        f"student triggers at {_rate(student, f'rate_khz_fpr{point}')}{beside}. Its threshold is "
        f"{student[f'threshold_fpr{point}']:.4g}."
    )
    rows = [
        [
            plain_name(signal),
            _share(student, f"tpr_fpr{point}/{signal}"),
            _share(teacher, f"tpr_fpr{point}/{signal}"),
            _share(student, f"tpr_ratio_fpr{point}/{signal}"),
            _share(student, f"agreement_fpr{point}/{signal}"),
        ]
        for signal in signals
    ]
    rows.append(
        ["background", *[NOT_MEASURED] * 3, _share(student, f"agreement_fpr{point}/background")]
    )
    return Table(
        title=title,
        columns=(
            Column(name="signal"),
            Column(name="student TPR", numeric=True),
            Column(name="teacher TPR", numeric=True),
            Column(name="student / teacher", numeric=True),
            Column(name="agreement", numeric=True),
        ),
        rows=rows,
        lead=lead,
        notes=(
            "Rates are shares of the background times the rate at which its events reach the "
            f"algorithm, assumed to be {student['input_rate_khz']:g} kHz "
            "(evaluation.input_rate_khz). Agreement: of the events that the teacher accepts, the "
            "share that the student accepts at the same background rate. Intervals of 68%; those "
            "that compare come from a paired bootstrap.",
        ),
    )


def _against_student(teacher: Metrics, student: Metrics, signals: Sequence[str]) -> Table:
    return Table(
        title="Teacher against student",
        columns=(
            Column(name="signal"),
            Column(name="published AUC", numeric=True),
            Column(name="teacher AUC", numeric=True),
            Column(name="student AUC", numeric=True),
            Column(name="student less teacher", numeric=True),
            Column(name="MSE to teacher", numeric=True),
            Column(name="rank correlation", numeric=True),
            Column(name="Wasserstein distance", numeric=True),
        ),
        rows=[_row(signal, teacher, student) for signal in signals],
        notes=(
            f"Published: {published.PAPER}. {published.WHY_OURS_DIFFER} Student: "
            f"{_size(student)}; teacher: {teacher['parameters']:.0f} parameters. MSE and "
            "Wasserstein distance are those of what the student learns, standardized: the "
            "logarithm of a reconstruction error, a likelihood's score as it is "
            "(soft_target.json).",
        ),
    )


def _size(student: Metrics) -> str:
    if "trees" in student:
        return (
            f"{student['trees']:.0f} trees with {student['nodes']:.0f} thresholds and "
            f"{student['leaves']:.0f} leaves"
        )
    zeros = 100 * student["sparsity"]
    return f"{student['parameters']:.0f} parameters, {zeros:.0f}% of its weights zero"


def _row(signal: str, teacher: Metrics, student: Metrics) -> list[str]:
    paper = published.AUC.get(signal)
    return [
        plain_name(signal),
        NOT_MEASURED if paper is None else f"{paper:.2f}",
        _number(teacher, "auc", signal),
        _number(student, "auc", signal),
        _number(student, "auc_difference", signal, sign="+"),
        *(
            _number(student, name, signal)
            for name in ("mse_to_teacher", "rank_correlation", "wasserstein")
        ),
    ]


def _floor(teacher: Metrics, student: Metrics, signals: Sequence[str], point: str | None) -> Table:
    """Return AUC and TPR of trivial scores, and of teacher and student below them."""
    rows = [
        [words, *(_auc_and_tpr(student, f"trivial/{name}/", signal, point) for signal in signals)]
        for name, words in NAMES.items()
        if any(f"trivial/{name}/auc/{signal}" in student for signal in signals)
    ]
    if rows:
        rows += [
            [name, *(_auc_and_tpr(metrics, "", signal, point) for signal in signals)]
            for name, metrics in (("teacher", teacher), ("student", student))
        ]
    at = "" if point is None else f" (TPR at FPR {point})"
    return Table(
        title="The floor: scores without a network",
        columns=(
            Column(name="score"),
            *(Column(name=f"{plain_name(signal)}", numeric=True) for signal in signals),
        ),
        rows=rows,
        notes=(
            f"AUC{at}. Probabilities are counted on the background's training split. A teacher "
            "that is below one of these has not learned what plain counting knows.",
        ),
    )


def _auc_and_tpr(metrics: Metrics, prefix: str, signal: str, point: str | None) -> str:
    auc = metrics.get(f"{prefix}auc/{signal}")
    if auc is None:
        return NOT_MEASURED
    tpr = metrics.get(f"{prefix}tpr_fpr{point}/{signal}")
    return f"{auc:.3f}" if tpr is None else f"{auc:.3f} ({100 * tpr:.0f}%)"


def _number(metrics: Metrics, quantity: str, signal: str, sign: str = "") -> str:
    name = f"{quantity}/{signal}"
    value, error = metrics.get(name), metrics.get(with_suffix(name, "_error"))
    if value is None:
        return NOT_MEASURED
    shown = f"{value:{sign}.3f}"
    return shown if error is None else f"{shown} ± {error:.3f}"


def _share(metrics: Metrics, name: str) -> str:
    value = metrics.get(name)
    if value is None:
        return NOT_MEASURED
    low, high = (metrics.get(with_suffix(name, end)) for end in ("_low", "_high"))
    shown = f"{100 * value:.0f}%"
    return shown if low is None or high is None else f"{shown} [{100 * low:.0f}, {100 * high:.0f}]"


def _rate(metrics: Metrics, name: str) -> str:
    value, low, high = (metrics[with_suffix(name, end)] for end in ("", "_low", "_high"))
    unit, factor = ("kHz", 1.0) if value >= 0.1 else ("Hz", 1000.0)
    return f"{factor * value:.3g} {unit} [{factor * low:.3g}, {factor * high:.3g}]"
