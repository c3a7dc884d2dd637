"""Finalists of a search: trained anew as students are, with several seeds; pictures of all."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from l1distill.compression.pruning import PruningSettings
from l1distill.core.workspace import write_text
from l1distill.data.encoding import InputEncoding
from l1distill.distillation.student import train_student
from l1distill.evaluation.curves import write_csv
from l1distill.firmware.cost import estimate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings
from l1distill.reporting.pictures import Picture
from l1distill.reporting.plots.search import draw_distances, draw_front
from l1distill.search.candidate import Candidate
from l1distill.search.plan import Course
from l1distill.search.problem import Problem
from l1distill.search.records import Outcome
from l1distill.search.worker import STAGE_NS
from l1distill.stages.offline_lesson import Lesson
from l1distill.stages.stage import Context

if TYPE_CHECKING:
    from l1distill.stages.search import Settings

FOLDER = "finalists"


def choose(course: Course, number: int) -> list[Outcome]:
    """Choose finalists: the best by validation loss, of a front those spread over it."""
    if course.plan.strategy != "front":
        return course.finished()[:number]
    front = course.front()
    places = np.unique(np.linspace(0, len(front) - 1, min(number, len(front))).round().astype(int))
    return [front[place] for place in places]


def train_finalists(
    settings: "Settings",
    context: Context,
    course: Course,
    problem: Problem,
    encoding: InputEncoding,
    lesson: Lesson,
    finalists: Sequence[Outcome],
) -> dict[str, float]:
    """Train finalists as ``l1distill student`` does, and judge and keep the networks.

    Writes ``finalists/<candidate>-seed<seed>.h5``, an experiment file for each candidate, and
    ``finalists.csv``.

    Returns:
        ``search/finalists`` and, of the best of them by validation loss, its loss and cost.
    """
    rows: list[dict[str, Any]] = []
    (context.folder / FOLDER).mkdir()
    for outcome in finalists:
        candidate = course.candidate(outcome.number)
        student, pruning = of_finalist(settings, candidate)
        _write_experiment(student, pruning, context.folder / FOLDER / f"{outcome.number}.yaml")
        for seed in range(settings.seed, settings.seed + settings.search.seeds):
            name = f"{outcome.number}-seed{seed}"
            with context.epochs(f"finalist {name}", student.training.epochs) as on_epoch:
                trained = train_student(
                    lesson.train,
                    lesson.validation,
                    student,
                    settings.distillation,
                    pruning,
                    input_exponents=problem.exponents,
                    shape=encoding.feature_shape,
                    seed=seed,
                    on_epoch=on_epoch,
                    checkpoint=context.work / f"finalist-{name}.npz",
                )
            keras_files.save(trained.model, context.folder / FOLDER / f"{name}.h5")
            cost = estimate(from_qkeras(trained.model), STAGE_NS)
            answers = {
                sample: trained.predict(features)
                for sample, (features, _) in problem.samples.items()
            }
            rows.append(
                {
                    "candidate": outcome.number,
                    "seed": seed,
                    "validation_loss": trained.history.metrics()["best_validation_loss"],
                    "sparsity": trained.sparsity,
                    "lut_estimate": cost.lut_estimate,
                    "latency_cycles_estimate": cost.latency_cycles_estimate,
                    **problem.metrics(answers),
                }
            )
    metrics = {"search/finalists": float(len(rows))}
    if rows:
        write_csv(context.folder / "finalists.csv", [*rows[0]], (row.values() for row in rows))
        best = min(rows, key=lambda row: row["validation_loss"])
        metrics["search/best_finalist_validation_loss"] = best["validation_loss"]
        metrics["search/best_finalist_lut_estimate"] = best["lut_estimate"]
    return metrics


def of_finalist(
    settings: "Settings", candidate: Candidate
) -> tuple[StudentSettings, PruningSettings]:
    """Return how a finalist is trained: as long as a student, at its own rate and batch size."""
    assert isinstance(settings.compression, PruningSettings)
    own = {
        "learning_rate": candidate.student.training.learning_rate,
        "batch_size": settings.search.training.batch_size,
    }
    training = settings.student.training.model_copy(update=own)  # type: ignore[attr-defined]
    student = candidate.student.model_copy(update={"training": training})
    return student, candidate.pruning(settings.compression)


def _write_experiment(student: StudentSettings, pruning: PruningSettings, path: Path) -> None:
    content = {
        "student": student.model_dump(mode="json"),
        "compression": pruning.model_dump(mode="json"),
    }
    text = yaml.safe_dump(content, sort_keys=False)
    write_text(path, f"# @package _global_\n# A finalist of l1distill search\n{text}")


def draw(course: Course, folder: Path) -> list[Picture]:
    """Draw what came out of a search."""
    finished = course.finished()
    samples = [name for name in finished[0].metrics if name.startswith("mse_to_teacher/")]
    distances = {
        name.removeprefix("mse_to_teacher/"): [one.metrics[name] for one in finished]
        for name in samples
    }
    points, front = (
        [(one.costs["lut_estimate"], one.loss or 0.0) for one in some]
        for some in (finished, course.front())
    )
    return [draw_distances(distances, folder), draw_front(points, front, folder)]
