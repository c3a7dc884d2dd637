"""The best finalist of a search as a job of the pipeline: trained, synthesized, judged."""

import sys
from typing import TYPE_CHECKING, Any

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.settings import DistillationSettings
from l1distill.models.mlp import StudentSettings
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.pipeline_job import Job, check_job, run_job

if TYPE_CHECKING:
    from l1distill.stages.search import Settings

_TAKEN_OVER = ("seed", "data", "teacher_folder", "tracking", "augmentation")
"""Sections that the job has as the search has them."""


def job_of(
    settings: "Settings",
    student: StudentSettings,
    pruning: PruningSettings,
    learning: DistillationSettings,
) -> Job:
    """Return the job of a student that was found, in a folder beside the output of the search.

    Args:
        settings: of the search.
        student: its layers, types and training.
        pruning: how sparse, and when.
        learning: how it learns.

    Raises:
        ConfigError: a stage of the pipeline refuses it.
    """
    chosen = settings.model_dump(mode="json")
    composed = to_plain(compose_stage("pipeline", [f"task={settings.task.name}"]).config)
    composed |= {key: chosen[key] for key in _TAKEN_OVER if key in composed}
    own: dict[str, Any] = {"inputs": chosen["student"]["inputs"]}
    composed["student"] = {**student.model_dump(mode="json"), **own}
    composed["compression"] = pruning.model_dump(mode="json")
    composed["distillation"] = learning.model_dump(mode="json")
    folder = settings.output.with_name(f"{settings.output.name}-pipeline")
    composed["output"] = str(folder)
    job = Job(name=folder.name, folder=str(folder), composed=composed)
    check_job(job)
    return job


def promote(
    settings: "Settings",
    student: StudentSettings,
    pruning: PruningSettings,
    learning: DistillationSettings,
) -> None:
    """Run that job."""
    job = job_of(settings, student, pruning, learning)
    print(f"pipeline: {run_job(job).summary}", file=sys.stderr)
