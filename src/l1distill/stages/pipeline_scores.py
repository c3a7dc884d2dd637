"""Scores of a job's firmware, kept for comparisons between jobs on the same events."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.artifacts.folders import FirmwareFolder, StudentFolder
from l1distill.artifacts.record import Record
from l1distill.core.workspace import write_arrays
from l1distill.data.splits import Split
from l1distill.evaluation.combinations import rank_correlation
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import EMULATOR
from l1distill.stages.firmware_answers import inputs_and_scores
from l1distill.stages.recorded_teacher import recorded_answers
from l1distill.tasks.base import ScoringTask, Task

SCORES = "scores.npz"
"""File of a job's folder: ``test/<sample>`` and ``validation``, each (n,), the higher the more
anomalous."""
BLIND = "rank_correlation_validation"
"""Metric: rank correlation of student and teacher on the validation split of the background."""


def write_scores(folder: Path, settings: Any, task: Task) -> dict[str, float]:
    """Score the test events of every sample, and the validation split of the training sample.

    The emulator of the firmware is asked: its scores are those of the trigger, bit for bit.

    Args:
        folder: of the job.
        settings: of its promotion, which names the folders.
        task: the problem; nothing is written where its answers are no scores.

    Returns:
        What they say of the student without any signal: the rank correlation with the recorded
        teacher on the validation split.
    """
    if not isinstance(task, ScoringTask):
        return {}
    dataset = task.open(settings.data.folder)
    encoding = StudentFolder(settings.student_folder).encoding
    emulator = Emulator.load(FirmwareFolder(settings.firmware_folder).path / EMULATOR)

    def ask(items: NDArray[Any]) -> NDArray[np.float32]:
        return inputs_and_scores(encoding, emulator, items)[1][:, 0].astype(np.float32)

    scores = {
        f"test/{name}": ask(sample.items.values[dataset.evaluation_rows(name)])
        for name, sample in dataset.samples().items()
    }
    training = dataset.training
    rows = training.rows(Split.VALIDATION)
    scores["validation"] = ask(training.items.values[rows])
    write_arrays(folder / SCORES, scores)
    folder_of_teacher, sample = settings.teacher_folder, dataset.training_sample
    record = Record.read(folder_of_teacher)
    said = recorded_answers(task, folder_of_teacher, record, dataset, [sample])[sample][rows]
    if said.ndim > 1 or len(said) < 3:
        return {}
    value = rank_correlation(scores["validation"].astype(np.float64), said.astype(np.float64))
    return {BLIND: value} if np.isfinite(value) else {}


def read_scores(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read the scores of the test events by sample, (n,) each; none if there are none."""
    try:
        with np.load(folder / SCORES) as file:
            return {
                name.removeprefix("test/"): file[name]
                for name in file.files
                if name.startswith("test/")
            }
    except (OSError, ValueError, EOFError):
        return {}
