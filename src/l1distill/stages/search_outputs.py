"""What a search leaves: tables, pictures, metrics, and a sentence on what came out."""

import sys
from collections.abc import Mapping
from pathlib import Path

from l1distill.reporting.pictures import Picture, write_captions
from l1distill.reporting.plots.search import draw_distances, draw_front, draw_importances
from l1distill.search.plan import Course
from l1distill.search.tables import (
    write_candidates,
    write_front,
    write_importances,
    write_progress,
)


def write_outputs(course: Course, folder: Path) -> None:
    """Write ``candidates.csv``, ``front.csv``, ``progress.csv``, ``importances.csv``, ``plots/``.

    Args:
        course: of the search, at its end or where it was interrupted.
        folder: of the stage.
    """
    write_candidates(course, folder / "candidates.csv")
    write_front(course, folder / "front.csv")
    write_progress(course, folder / "progress.csv")
    shares = write_importances(course, folder / "importances.csv")
    write_captions(_draw(course, shares, folder), folder)


def _draw(course: Course, shares: Mapping[str, Mapping[str, float]], folder: Path) -> list[Picture]:
    finished, pictures = course.finished(), []
    if finished:
        samples = [name for name in finished[0].metrics if name.startswith("mse_to_teacher/")]
        distances = {
            name.removeprefix("mse_to_teacher/"): [one.metrics[name] for one in finished]
            for name in samples
        }
        points, front = (
            [(one.costs["lut_estimate"], one.loss or 0.0) for one in some]
            for some in (finished, course.front())
        )
        pictures += [draw_distances(distances, folder), draw_front(points, front, folder)]
    if shares:
        pictures.append(draw_importances(shares, folder))
    return pictures


def trained(course: Course) -> int:
    """Return how many candidates were trained, in full or until they were stopped."""
    return sum(number in course.outcomes for number in course.drawn)


def metrics_of(course: Course, sample: str) -> dict[str, float]:
    """Return the metrics of the search itself.

    Args:
        course: of the search.
        sample: whose distance to the teacher is told of the best.
    """
    states = [course.state(number) for number in course.drawn]
    metrics = {
        "search/candidates": float(trained(course)),
        "search/finished": float(states.count("finished")),
        "search/failed": float(states.count("failed")),
        "search/front": float(len(course.front())),
        "search/cpu_seconds": sum(task.cpu_s for task in course.tasks),
    }
    best = next(iter(course.finished()), None)
    if best is not None:
        metrics["search/best_validation_loss"] = best.loss or 0.0
        metrics["search/best_mse_to_teacher"] = best.metrics[f"mse_to_teacher/{sample}"]
    return metrics


def note_of(course: Course, *, complete: bool) -> str:
    """Return what came out in words, and print it."""
    best, number = next(iter(course.finished()), None), trained(course)
    if best is None:
        text = f"{number} candidates are trained in part, none in full."
    else:
        candidate = course.candidate(best.number)
        words = f"{'-'.join(map(str, candidate.widths))} nodes, {candidate.sparsity:.0%} pruned"
        text = (
            f"Best of {number} candidates by validation loss: candidate {best.number} ({words}), "
            f"about {best.costs['lut_estimate']:.0f} LUT."
        )
    if not complete:
        text += " Interrupted: run again to continue."
    print(f"search: {text}", file=sys.stderr)
    return text
