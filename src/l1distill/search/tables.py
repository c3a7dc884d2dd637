"""The tables of a search: one row a candidate."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from l1distill.evaluation.curves import write_csv
from l1distill.search.plan import Course
from l1distill.search.records import Outcome

_FIRST = ("candidate", "phase", "generation", "state", "rung", "epochs", "loss")
_OF_STUDENT = (
    *("layers", "weight_bits", "weight_integer", "activation_bits", "activation_integer"),
    *("input_bits", "sparsity", "learning_rate", "seed"),
)
COST_COLUMNS = ("lut_estimate", "latency_cycles_estimate", "bit_operations")


def write_candidates(course: Course, path: Path) -> None:
    """Write ``candidates.csv``: state, rung, epochs, hyperparameters, metrics and estimates.

    A candidate is ``finished``, ``stopped`` at a rung, ``failed`` or ``waiting``.
    """
    outcomes = course.outcomes
    _write(course, [(number, outcomes.get(number)) for number in sorted(course.drawn)], path)


def write_front(course: Course, path: Path) -> None:
    """Write ``front.csv``: the same of those that no other is better than in loss and cost."""
    _write(course, [(one.number, one) for one in course.front()], path)


def _write(course: Course, rows: Sequence[tuple[int, Outcome | None]], path: Path) -> None:
    names = sorted({name for _, one in rows if one is not None for name in one.metrics})
    write_csv(
        path,
        (*_FIRST, *_OF_STUDENT, *COST_COLUMNS, *names),
        (_row(course, number, one, names) for number, one in rows),
    )


def _row(course: Course, number: int, outcome: Outcome | None, names: Sequence[str]) -> list[Any]:
    drawn, candidate = course.drawn[number], course.candidate(number)
    phase, _ = course.plan.phases[drawn.phase]
    student = candidate.student
    values = {
        **dict(student),
        "sparsity": candidate.sparsity,
        "learning_rate": student.training.learning_rate,
        "seed": candidate.seed,
    }
    told: Iterable[Any] = ("", "", "")
    if outcome is not None:
        told = outcome.rung, outcome.epochs, "" if outcome.loss is None else outcome.loss
    costs = {} if outcome is None else outcome.costs
    metrics = {} if outcome is None else outcome.metrics
    return [
        *(number, phase, drawn.generation, course.state(number)),
        *told,
        *(_text(values[name]) for name in _OF_STUDENT),
        *(costs.get(name, "") for name in COST_COLUMNS),
        *(metrics.get(name, "") for name in names),
    ]


def _text(value: Any) -> Any:
    return "-".join(map(str, value)) if isinstance(value, list) else value
