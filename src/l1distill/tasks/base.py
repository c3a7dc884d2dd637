"""What stages know of a task: one protocol, and what some tasks have in addition.

A task brings its data, its teachers, the encoding of a student's inputs, the targets that a
student learns, and how answers are evaluated. Stages load it by the module that the configuration
names (``task.module``) and know nothing else of it; students know no task at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError, first_line
from l1distill.tasks.records import (
    Answers,
    Drawing,
    GenerationServices,
    Services,
    TaskDescription,
)
from l1distill.tasks.settings import (
    AugmentationSettings,
    DataSettings,
    EncodingSettings,
    EvaluationSettings,
    SettingsTypes,
    TaskSettings,
    TeacherSettings,
)

if TYPE_CHECKING:  # a stage depends on those alone that it uses
    from l1distill.artifacts.runs import RunFinder
    from l1distill.data.dataset import Dataset
    from l1distill.data.encoding import InputEncoding
    from l1distill.data.splits import Split
    from l1distill.distillation.targets import TargetTransform
    from l1distill.distillation.teacher import AnyTeacher
    from l1distill.evaluation.context import ScoreContext
    from l1distill.evaluation.evaluation import Evaluation
    from l1distill.firmware.functions.error_head import ErrorHead
    from l1distill.registry.card import PublishedFirmware
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.reporting.tables import Table


class Study(Protocol):
    """A paper's study, gathered from logged runs."""

    def check(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> None:
        """Refuse a study that has nothing to begin with, before a run is opened.

        Args:
            runs: finds logged runs.
            dataset: the runs are about it.
            experiments: see :meth:`write`.

        Raises:
            DataError: the line says what to begin with.
        """

    def write(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str], folder: Path
    ) -> Mapping[str, float]:
        """Write ``index.html``, ``report.md`` and ``plots/`` into a folder.

        Args:
            runs: finds logged runs and their files.
            dataset: the runs are about it.
            experiments: purpose (teachers, scan, firmware) to the experiment whose runs count.
            folder: to write into.

        Returns:
            How many models of each kind were found.

        Raises:
            DataError: there is no run to begin with, or a run lacks a file.
        """


class Task(Protocol):
    """A problem in physics, from its data to its evaluation."""

    @property
    def name(self) -> str:
        """The name, as in ``task=``."""

    @property
    def settings(self) -> SettingsTypes:
        """Types of the task's sections of the configuration."""

    def check_sources(self, settings: DataSettings) -> None:
        """Refuse what a data set cannot be made from, before anything is opened or written.

        Raises:
            ConfigError: nothing was named to read.
            DataError: a file is missing.
        """

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        """Make the data set: sample files, card, and what training splits are measured for.

        Args:
            settings: of the data set.
            folder: to write into; exists.
            services: executor, progress, scratch folders.

        Returns:
            Pictures of the data, below ``folder``.

        Raises:
            DataError: the user's files cannot be used, or leave too few items.
        """

    def open(self, folder: Path) -> Dataset:
        """Open a data set of this task.

        Raises:
            DataError: there is none, or its card cannot be read.
        """

    def data_notes(self) -> DataNotes:
        """Return what the page of a data set says beside its card."""

    def teacher(self, settings: TeacherSettings, constants: Path) -> AnyTeacher:
        """Return the teacher of these settings.

        Args:
            settings: of the teacher.
            constants: folder that holds what was measured on the training split; that of the data
                set, or of a trained teacher.
        """

    def constants(self) -> Sequence[str]:
        """Name the files that travel from the data set to teacher, student and firmware."""

    def training_arrays(self, dataset: Dataset, split: Split) -> Sequence[NDArray[Any]]:
        """Return what the teacher's loss takes of a split, (n, ...) each."""

    def handed_on(self, settings: TeacherSettings) -> str:
        """Return the name of the teacher's answer that students learn."""

    def encoding(self, settings: EncodingSettings, constants: Path) -> InputEncoding:
        """Return how raw items become features, fixed by the training split alone."""

    def fit_target(self, answers: NDArray[np.floating[Any]], name: str) -> TargetTransform:
        """Fit the transformation of a teacher's answers, given those of the training split.

        Args:
            answers: (n,) or (n, outputs).
            name: of the answer (:meth:`handed_on`), which may say what scale is right.
        """

    def check_answers(self, answers: NDArray[Any], name: str) -> str | None:
        """Return why a teacher's saved answers cannot be learned, or None if they can.

        Args:
            answers: as they are read, of any shape and type.
            name: of the answer, see :meth:`fit_target`.
        """

    def evaluate(self, answers: Answers, dataset: Dataset) -> Evaluation:
        """Evaluate answers on the evaluation items of each sample.

        Args:
            answers: of a teacher or a student, for ``dataset.evaluation_rows`` of each sample.
            dataset: with labels where the task has them.
        """

    def draw_model(self, drawing: Drawing, dataset: Dataset, folder: Path) -> Sequence[Picture]:
        """Draw a trained model into a folder; returns the pictures that a report shows."""

    def comparison(
        self, teacher: Mapping[str, float], student: Mapping[str, float]
    ) -> Table | Sequence[Table]:
        """Compare teacher and student, from their metrics, with published figures beside them.

        Returns:
            One table, or several, what matters most first.
        """

    def firmware_in_papers(self) -> PublishedFirmware | None:
        """Return published firmware that a student's stands beside, if there is any."""

    def describe(self) -> TaskDescription:
        """Return what the model card says of this task's students."""

    def error_head(self, constants: Path) -> ErrorHead | None:
        """Return what ``score.kind=mse`` puts behind a teacher of this task, in firmware.

        Args:
            constants: folder of the teacher in fixed point; without the task's constants in it
                the network is not one of ours, and None is returned.
        """

    def study(self) -> Study | None:
        """Return the paper's study that ``l1distill paper`` writes, if there is one."""


@runtime_checkable
class ScoringTask(Protocol):
    """What a task has in addition whose answers are one score per item, with a background.

    Its models are then judged by what a trigger cares about; see
    :mod:`l1distill.evaluation.trigger_study`.
    """

    def score_context(self, settings: EvaluationSettings, dataset: Dataset) -> ScoreContext:
        """Return what scores are judged beside: trivial scores, reference triggers, input rate.

        Args:
            settings: of the evaluation.
            dataset: every value is of ``dataset.evaluation_rows`` of each sample.
        """


@runtime_checkable
class ComparingTask(Protocol):
    """What a task has in addition whose models stand beside one another on the same items.

    It judges them where what they are for can be compared: a student beside its teacher, and both
    beside methods that need no training.
    """

    def evaluate_together(
        self,
        answers: Mapping[str, Answers],
        dataset: Dataset,
        settings: EvaluationSettings,
        services: Services | None = None,
    ) -> Evaluation:
        """Evaluate a model in place of :meth:`Task.evaluate`.

        Args:
            answers: the model that is evaluated first, ``teacher`` or ``student``, with its answers
                for ``dataset.evaluation_rows`` of each sample; behind a student its teacher.
            dataset: the answers are about it.
            settings: of the evaluation.
            services: where the work is done, on which the result does not depend; None: here.
        """


@runtime_checkable
class MomentumTask(Protocol):
    """What a task has in addition whose items have a transverse momentum, by which they count."""

    def item_pt(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """Return the pT of items [GeV], (n,).

        Args:
            items: (n, ...) raw items.
        """


@runtime_checkable
class AugmentingTask(Protocol):
    """A task that can make items unlike those it trains on, for teachers to label."""

    def pseudo_items(self) -> float:
        """Return how many of them an item ``distillation.augmentation=task`` stands for."""

    def augment(
        self,
        items: NDArray[Any],
        number: int,
        settings: AugmentationSettings,
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """Make pseudo-items.

        Args:
            items: (n, ...) raw items of one split of the training sample.
            number: of the pseudo-items.
            settings: of the augmentation.
            rng: random numbers.

        Returns:
            (number, ...), in the format of ``items``.
        """


@runtime_checkable
class TopologyTask(AugmentingTask, Protocol):
    """A task whose pseudo-items can stand for what signals look like, without any signal."""

    def topologies(self, items: NDArray[Any]) -> Mapping[str, NDArray[np.bool_]]:
        """Return which items are of each topology, (n,) by its name.

        Args:
            items: (n, ...) pseudo-items.
        """


def load_task(settings: TaskSettings) -> Task:
    """Import a task.

    Raises:
        ConfigError: the module cannot be imported or holds no ``TASK`` of this name.
    """
    try:
        module = importlib.import_module(settings.module)
    except (ImportError, SyntaxError, TypeError, ValueError) as error:
        # the last two are what Python says of names that no module can have
        raise ConfigError(
            f"task.module={settings.module}: cannot be imported ({first_line(error)}); install it "
            "or put its folder on PYTHONPATH"
        ) from error
    task = getattr(module, "TASK", None)
    if task is None or task.name != settings.name:
        raise ConfigError(
            f"task.module={settings.module}: holds no TASK of the name {settings.name}"
        )
    return cast(Task, task)
