"""Records that pass between stages and tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from l1distill.core.progress import Advance

if TYPE_CHECKING:  # a stage depends on those alone that it uses
    from l1distill.evaluation.evaluation import Curves, Evaluation
    from l1distill.firmware.results.quantity import Quantity

Answers = Mapping[str, NDArray[np.floating[Any]]]
"""Sample to the answers of a model, (n,) or (n, outputs)."""


class ShowProgress(Protocol):
    """Open a progress display; see :func:`l1distill.core.progress.progress`."""

    def __call__(
        self, description: str, total: int, unit: str, total_weight: float | None = None
    ) -> AbstractContextManager[Advance]:
        """Return a context manager that yields the function to call with what is done."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a task may use to do work on an executor.

    Attributes:
        executor: opens the executor that the user chose.
        progress: opens a progress display.
        work: folder that survives a kill, and that all workers see; removed when the stage is done.
    """

    executor: Callable[[], AbstractContextManager[Executor]]
    progress: ShowProgress
    work: Path


@dataclass(frozen=True, kw_only=True)
class GenerationServices(Services):
    """What a task may use while it makes a data set.

    Attributes:
        cache: folder for converted files, beside the data set.
    """

    cache: Path


@dataclass(frozen=True, kw_only=True)
class TaskDescription:
    """What the model card says of a task's student.

    Attributes:
        title: of the card.
        summary: what the student does, in a sentence.
        outputs: what comes out, in the order of the student's outputs.
        limitations: one sentence each.
    """

    title: str
    summary: str
    outputs: tuple[Quantity, ...]
    limitations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a task is asked to draw of a trained model.

    Attributes:
        model: ``teacher`` or ``student``.
        answers: name of an answer to sample to its values on the evaluation items.
        evaluations: name of an answer to its evaluation.
        primary: the answer that counts: what a teacher hands on, what a student gives.
        reference: curves of the teacher, to be drawn beside a student's.
    """

    model: str
    answers: Mapping[str, Answers]
    evaluations: Mapping[str, Evaluation]
    primary: str
    reference: Curves | None = None
