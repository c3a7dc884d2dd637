"""The tables of a search: one row a candidate."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from l1distill.evaluation.curves import write_csv
from l1distill.evaluation.searches import CPU_S
from l1distill.search.importances import LOSS, importances
from l1distill.search.plan import COSTS, Course
from l1distill.search.records import Outcome

_FIRST = ("candidate", "phase", "generation", "state", "rung", "epochs", CPU_S, "loss")
_OF_STUDENT = (
    *("layers", "weight_bits", "weight_integer", "activation_bits", "activation_integer"),
    *("input_bits", "sparsity", "learning_rate", "seed", "knowledge"),
)
_PROGRESS = (
    *("phase", "generation", "rung"),
    *(CPU_S, "candidates", "finished", "best_validation_loss"),
)
_DISTANCE = "mse_to_teacher/"
COST_COLUMNS = ("lut_estimate", "latency_cycles_estimate", "bit_operations")


def write_candidates(course: Course, path: Path) -> None:
    """Write ``candidates.csv``: state, rung, epochs, hyperparameters, metrics and estimates.

    A candidate is ``finished``, ``stopped`` at a rung, ``failed`` or ``waiting``. Its CPU time is
    that of the whole search until then, as in ``progress.csv``.
    """
    outcomes = course.outcomes
    _write(course, [(number, outcomes.get(number)) for number in sorted(course.drawn)], path)


def write_front(course: Course, path: Path) -> None:
    """Write ``front.csv``: the same of those that no other is better than in loss and cost."""
    _write(course, [(one.number, one) for one in course.front()], path)


def _write(course: Course, rows: Sequence[tuple[int, Outcome | None]], path: Path) -> None:
    names = sorted({name for _, one in rows if one is not None for name in one.metrics})
    reached = _reached_at(course)
    write_csv(
        path,
        (*_FIRST, *_OF_STUDENT, *COST_COLUMNS, *names),
        (_row(course, number, one, names, reached.get(number, "")) for number, one in rows),
    )


def _reached_at(course: Course) -> dict[int, float]:
    """Return the CPU time after which there was what is known of each candidate [s].

    Tasks are taken in the order in which a single worker does them.
    """
    seconds, found = 0.0, dict[int, float]()
    for task in course.tasks:
        if task.done:
            seconds += task.cpu_s
            found |= dict.fromkeys(task.members, seconds)
    return found


def _row(
    course: Course,
    number: int,
    outcome: Outcome | None,
    names: Sequence[str],
    reached_at: float | str,
) -> list[Any]:
    drawn, candidate = course.drawn[number], course.candidate(number)
    phase, _ = course.plan.phases[drawn.phase]
    student = candidate.student
    values = {
        **dict(student),
        "sparsity": candidate.sparsity,
        "learning_rate": student.training.learning_rate,
        "seed": candidate.seed,
        "knowledge": candidate.knowledge or "",
    }
    told: Iterable[Any] = ("", "", reached_at, "")
    if outcome is not None:
        loss = "" if outcome.loss is None else outcome.loss
        told = outcome.rung, outcome.epochs, reached_at, loss
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


def write_progress(course: Course, path: Path) -> None:
    """Write ``progress.csv``: what was reached after each task, against CPU time.

    A row a task, in the order in which a single worker does them: CPU seconds and epochs times
    candidates so far, candidates trained in full, the least validation loss among these, and of
    each sample the mean squared distance to the teacher of that candidate.
    """
    outcomes = course.outcomes
    last = len(course.plan.settings.rungs)
    names = sorted({n for one in outcomes.values() for n in one.metrics if n.startswith(_DISTANCE)})
    seconds, trained, finished = 0.0, 0, 0
    best: Outcome | None = None
    rows: list[list[Any]] = []
    for task in course.tasks:
        if not task.done:
            continue
        seconds += task.cpu_s
        trained += len(task.members) if task.step.rung == 0 else 0
        final = task.step.rung == last and task.step.phase == len(course.plan.phases) - 1
        for number in task.members if final else ():
            one = outcomes[number]
            if one.loss is not None:
                finished += 1
                best = one if best is None or one.loss < (best.loss or 0.0) else best
        step = task.step
        told: list[Any] = ["", *("" for _ in names)]
        if best is not None:
            told = [best.loss, *(best.metrics.get(name, "") for name in names)]
        rows.append([step.phase, step.generation, step.rung, seconds, trained, finished, *told])
    write_csv(path, (*_PROGRESS, *names), rows)


def write_importances(course: Course, path: Path) -> Mapping[str, Mapping[str, float]]:
    """Write ``importances.csv``: how much each question decides, a row a phase and question.

    Returns:
        Those of the last phase.
    """
    rows: list[list[Any]] = []
    found: Mapping[str, Mapping[str, float]] = {}
    for phase, (name, _) in enumerate(course.plan.phases):
        found = importances(course, phase)
        for question in next(iter(found.values()), {}):
            shares = [found.get(of, {}).get(question, "") for of in (LOSS, COSTS[0])]
            rows.append([name, question, *shares])
    write_csv(path, ("phase", "question", LOSS, COSTS[0]), rows)
    return found
