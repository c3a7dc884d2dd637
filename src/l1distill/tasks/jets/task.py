"""The jets task: what stages see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.jets.settings import (
    JetsDataSettings,
    JetsEvaluationSettings,
    JetsInputSettings,
    JetsTeacherSettings,
)
from l1distill.tasks.jets.statistics import STATISTICS, Statistics
from l1distill.tasks.settings import SettingsTypes

if TYPE_CHECKING:
    from l1distill.data.dataset import Dataset
    from l1distill.data.encoding import InputEncoding
    from l1distill.data.splits import Split
    from l1distill.distillation.open_teacher import OpenTeacher
    from l1distill.distillation.targets import TargetTransform
    from l1distill.evaluation.context import ScoreContext
    from l1distill.evaluation.evaluation import Evaluation
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.reporting.tables import Table
    from l1distill.tasks.base import Study
    from l1distill.tasks.records import Answers, Drawing, GenerationServices, TaskDescription
    from l1distill.tasks.settings import (
        DataSettings,
        EncodingSettings,
        EvaluationSettings,
        TeacherSettings,
    )


class JetsTask:
    """Boosted H -> bb jets against QCD.

    Each method imports what it alone needs.
    """

    name = "jets"
    settings = SettingsTypes(
        data=JetsDataSettings,
        teacher=JetsTeacherSettings,
        encoding=JetsInputSettings,
        evaluation=JetsEvaluationSettings,
    )

    def check_sources(self, settings: DataSettings) -> None:
        """Refuse files that are missing or lack a column; PYTHIA needs none."""
        from l1distill.tasks.jets.readers.importing import count_jets

        assert isinstance(settings, JetsDataSettings)
        if settings.files is not None:
            count_jets(settings.files)

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        """Make jets with PYTHIA, or read them from files of the user's."""
        from l1distill.tasks.jets.generation import make_dataset

        assert isinstance(settings, JetsDataSettings)
        return make_dataset(settings, folder, services)

    def open(self, folder: Path) -> Dataset:
        """Open a data set of jets (n, numbers)."""
        from l1distill.tasks.jets.dataset import open_dataset

        return open_dataset(folder)

    def data_notes(self) -> DataNotes:
        """Return what to expect of the checks."""
        from l1distill.reporting.data_page import DataNotes
        from l1distill.tasks.jets.checks import EXPECTATIONS

        return DataNotes(expectations=EXPECTATIONS)

    def constants(self) -> Sequence[str]:
        """Name the file with scale and range of each number over the training split."""
        return (STATISTICS,)

    def teacher(self, settings: TeacherSettings, constants: Path) -> OpenTeacher:
        """Return the classifier of the architecture."""
        from l1distill.tasks.jets.teacher import JetsTeacher

        assert isinstance(settings, JetsTeacherSettings)
        return JetsTeacher(settings, Statistics.read(constants / STATISTICS))

    def handed_on(self, settings: TeacherSettings) -> str:
        """Return the logit."""
        return "logit"

    def training_arrays(self, dataset: Dataset, split: Split) -> Sequence[NDArray[Any]]:
        """Return jets and labels."""
        from l1distill.tasks.jets.dataset import LABEL

        training = dataset.training
        return [training.part(split), training.columns(split)[LABEL]]

    def encoding(self, settings: EncodingSettings, constants: Path) -> InputEncoding:
        """Return the chosen numbers of a jet."""
        from l1distill.tasks.jets.encoding import fit_encoding

        assert isinstance(settings, JetsInputSettings)
        return fit_encoding(Statistics.read(constants / STATISTICS), settings)

    def check_answers(self, answers: NDArray[Any], name: str) -> str | None:
        """Refuse answers that are no single logit."""
        return None if answers.ndim == 1 else "logits must be (n,) and finite"

    def fit_target(self, answers: NDArray[np.floating[Any]], name: str) -> TargetTransform:
        """Return the standardized logit."""
        from l1distill.distillation.targets import TargetTransform

        return TargetTransform.fit_linear(answers)

    def evaluate(self, answers: Answers, dataset: Dataset) -> Evaluation:
        """Return AUC and background rejection."""
        from l1distill.tasks.jets.evaluation import evaluate

        return evaluate(answers, dataset)

    def score_context(self, settings: EvaluationSettings, dataset: Dataset) -> ScoreContext:
        """Return single features, and the rate of QCD jets."""
        from l1distill.tasks.jets.evaluation import make_context

        assert isinstance(settings, JetsEvaluationSettings)
        return make_context(settings, dataset)

    def draw_model(self, drawing: Drawing, dataset: Dataset, folder: Path) -> Sequence[Picture]:
        """Draw the answers of both classes."""
        from l1distill.data.splits import Split
        from l1distill.reporting.pictures import FOLDER, Picture
        from l1distill.tasks.jets.dataset import LABEL, SAMPLE
        from l1distill.tasks.jets.plots import draw_scores

        scores = drawing.answers[drawing.primary][SAMPLE]
        label = dataset.training.columns(Split.TEST)[LABEL]
        path = folder / FOLDER / "scores.png"
        classes = Statistics.read(dataset.folder / STATISTICS).classes
        words = f"{drawing.model}'s answer"
        draw_scores(scores.reshape(len(scores)), label, path, words, classes)
        return [Picture(caption=f"The {drawing.model}'s answer to both classes", path=path)]

    def comparison(self, teacher: Mapping[str, float], student: Mapping[str, float]) -> Table:
        """Compare AUC and rejections."""
        from l1distill.reporting.tables import Column, Table

        def rejection(metrics: Mapping[str, float], at: str) -> str:
            value, low, high = (metrics[f"rejection_{at}{end}"] for end in ("", "_low", "_high"))
            return f"{value:.0f} [{low:.0f}, {high:.0f}]"

        return Table(
            title="Teacher against student",
            columns=(
                Column(name="model"),
                Column(name="AUC", numeric=True),
                Column(name="rejection at 50%", numeric=True),
                Column(name="rejection at 80%", numeric=True),
            ),
            rows=[
                [
                    name,
                    f"{metrics['auc']:.4f} ± {metrics['auc_error']:.4f}",
                    rejection(metrics, "50"),
                    rejection(metrics, "80"),
                ]
                for name, metrics in (("teacher", teacher), ("student", student))
            ],
            notes=("One over the share of background jets that pass, at a signal efficiency.",),
        )

    def firmware_in_papers(self) -> None:
        """Return None: no firmware of this task is published."""

    def describe(self) -> TaskDescription:
        """Return the words of the model card."""
        from l1distill.firmware.results.quantity import Quantity
        from l1distill.tasks.records import TaskDescription

        return TaskDescription(
            title="Boosted H → bb trigger",
            summary=(
                "A quantized, pruned student network that tells jets of a boosted H → bb from "
                "those of QCD (or a user's signal from background), distilled by l1distill."
            ),
            outputs=(Quantity("logit of the teacher, standardized over the training split"),),
            limitations=(
                "The features are assumed to be there: no firmware computes them.",
                "The trigger rate is counted from an assumed rate of QCD jets.",
            ),
        )

    def error_head(self, constants: Path) -> None:
        """Return None: a classifier reconstructs nothing."""

    def study(self) -> Study:
        """Return the study of networks that were reduced to a budget."""
        from l1distill.tasks.jets.study import BudgetStudy

        return BudgetStudy()


TASK = JetsTask()
