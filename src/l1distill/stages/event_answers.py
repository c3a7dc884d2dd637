"""What a teacher of whole events says of them, block by block, on any executor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l1distill.core.workspace import file_sha256, write_arrays
from l1distill.data.dataset import Dataset
from l1distill.distillation.teacher import EVENTS_OF_A_BLOCK, StreamingTeacher
from l1distill.simulation.jobs import EventBlock, blocks_of, job_path, make_once, run_jobs
from l1distill.tasks.base import load_task
from l1distill.tasks.records import Services
from l1distill.tasks.settings import TaskSettings, TeacherSettings
from l1distill.training.determinism import make_deterministic

if TYPE_CHECKING:
    from tensorflow import keras

Said = Mapping[str, NDArray[np.float32]]
"""Name of each answer to (items,) or (items, outputs)."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a worker has to know; goes to other processes.

    Attributes:
        task: whose teacher it is.
        teacher: its settings.
        data: folder of the data set.
        model: file of the trained network.
    """

    task: TaskSettings
    teacher: TeacherSettings
    data: Path
    model: Path


def answers_of_events(asked: Asked, dataset: Dataset, services: Services) -> Mapping[str, Said]:
    """Ask a trained teacher about every item of each sample, on an executor.

    Args:
        asked: the teacher.
        dataset: that of ``asked.data``.
        services: where the work is done; the answers do not depend on it. Finished blocks stay in
            its folder.

    Returns:
        Sample to what the teacher says of its items, in the order of the files.

    Raises:
        DataError: a file of the data set cannot be used.
        ResourceError: workers stay away or were killed.
    """
    made_by = f"{dataset.md5}-{file_sha256(asked.model)}"
    folder = services.work / "answers" / made_by[:20]
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        block
        for sample in dataset.names
        for block in blocks_of(sample, dataset.card.files[sample].events, EVENTS_OF_A_BLOCK)
    ]
    with (
        services.executor() as workers,
        services.progress("answer", sum(block.events for block in blocks), "events") as advance,
    ):
        run_jobs(answer_block, asked, [blocks], folder, workers, advance)
    found: dict[str, Said] = {}
    for sample in dataset.names:
        parts = [_read(job_path(folder, block)) for block in blocks if block.sample == sample]
        found[sample] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found


def answer_block(asked: Asked, block: EventBlock, folder: Path) -> None:
    """Leave a file with what the teacher says of a block's items, unless it is there.

    Args:
        asked: the teacher.
        block: which events.
        folder: where the files of all blocks are.
    """

    def make(path: Path, note: Callable[[float], None]) -> None:
        so_far = 0

        def advance(done: int, *_: object, **__: object) -> None:  # events alone
            nonlocal so_far
            so_far += done
            note(so_far / block.events)

        teacher, model, dataset = _opened(asked)
        events = slice(block.start, block.start + block.events)
        write_arrays(path, teacher.answers_on(model, dataset, block.sample, advance, events))

    make_once(folder, block, make)


@lru_cache(maxsize=1)
def _opened(asked: Asked) -> "tuple[StreamingTeacher, keras.Model, Dataset]":
    """Open what a worker process needs once; the network is fixed, and so are its last bits."""
    task = load_task(asked.task)
    teacher = task.teacher(asked.teacher, asked.data)
    assert isinstance(teacher, StreamingTeacher), asked.task.name
    make_deterministic(0)
    return teacher, teacher.read(asked.model), task.open(asked.data)


def _read(path: Path) -> Said:
    with np.load(path) as file:
        return dict(file)
