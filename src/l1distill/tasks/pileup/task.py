"""The pileup task: what stages see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.pileup.settings import (
    PileupDataSettings,
    PileupEvaluationSettings,
    PileupInputSettings,
    PileupTeacherSettings,
)
from l1distill.tasks.settings import SettingsTypes

if TYPE_CHECKING:
    from l1distill.data.dataset import Dataset
    from l1distill.data.encoding import InputEncoding
    from l1distill.data.splits import Split
    from l1distill.distillation.targets import TargetTransform
    from l1distill.distillation.teacher import StreamingTeacher
    from l1distill.evaluation.evaluation import Evaluation
    from l1distill.registry.card import PublishedFirmware
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.reporting.tables import Table
    from l1distill.tasks.base import Study
    from l1distill.tasks.records import (
        Answers,
        Drawing,
        GenerationServices,
        Services,
        TaskDescription,
    )
    from l1distill.tasks.settings import (
        DataSettings,
        EncodingSettings,
        EvaluationSettings,
        TeacherSettings,
    )


class PileupTask:
    """Weights that tell the hard collision's particles from those of pileup.

    Each method imports what it alone needs.
    """

    name = "pileup"
    settings = SettingsTypes(
        data=PileupDataSettings,
        teacher=PileupTeacherSettings,
        encoding=PileupInputSettings,
        evaluation=PileupEvaluationSettings,
    )

    def check_sources(self, settings: DataSettings) -> None:
        """Accept any settings: PYTHIA makes the events."""

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        """Make events with PYTHIA."""
        from l1distill.tasks.pileup.generation import make_dataset

        assert isinstance(settings, PileupDataSettings)
        return make_dataset(settings, folder, services)

    def open(self, folder: Path) -> Dataset:
        """Open a data set of particles (n, 16)."""
        from l1distill.tasks.pileup.dataset import open_dataset

        return open_dataset(folder)

    def data_notes(self) -> DataNotes:
        """Return what to expect of the checks."""
        from l1distill.reporting.data_page import DataNotes
        from l1distill.tasks.pileup.checks import EXPECTATIONS

        return DataNotes(expectations=EXPECTATIONS)

    def constants(self) -> Sequence[str]:
        """Name no file: nothing is measured on the training split."""
        return ()

    def teacher(self, settings: TeacherSettings, constants: Path) -> StreamingTeacher:
        """Return the graph network of the architecture."""
        from l1distill.tasks.pileup.teacher import GraphTeacher

        assert isinstance(settings, PileupTeacherSettings)
        return GraphTeacher(settings)

    def handed_on(self, settings: TeacherSettings) -> str:
        """Return the weight."""
        return "weight"

    def training_arrays(self, dataset: Dataset, split: Split) -> Sequence[NDArray[Any]]:
        """Return particles and their true hard fraction."""
        from l1distill.tasks.pileup.dataset import TRUTH

        training = dataset.training
        return [training.part(split), training.columns(split)[TRUTH]]

    def item_pt(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """Return the pT of particles (n, 16) [GeV], (n,)."""
        from l1distill.tasks.pileup.particles import pt_of

        return pt_of(items)

    def encoding(self, settings: EncodingSettings, constants: Path) -> InputEncoding:
        """Return the chosen numbers of a particle."""
        from l1distill.tasks.pileup.encoding import choose_features

        assert isinstance(settings, PileupInputSettings)
        return choose_features(settings)

    def check_answers(self, answers: NDArray[Any], name: str) -> str | None:
        """Refuse what is no weight of each particle."""
        if answers.ndim != 1:
            return "weights must be (n,)"
        return None if ((answers >= 0) & (answers <= 1)).all() else "weights must be in [0, 1]"

    def fit_target(self, answers: NDArray[np.floating[Any]], name: str) -> TargetTransform:
        """Return the weight itself."""
        from l1distill.distillation.targets import TargetTransform

        return TargetTransform(transform="identity")

    def evaluate(self, answers: Answers, dataset: Dataset) -> Evaluation:
        """Return resolutions of missing momentum and jets, of a student without its teacher."""
        from l1distill.tasks.pileup.evaluation import STUDENT, evaluate_weights

        return evaluate_weights({STUDENT: answers}, dataset, PileupEvaluationSettings())

    def evaluate_together(
        self,
        answers: Mapping[str, Answers],
        dataset: Dataset,
        settings: EvaluationSettings,
        services: Services | None = None,
    ) -> Evaluation:
        """Return resolutions of missing momentum and jets, beside methods without training."""
        from l1distill.tasks.pileup.evaluation import evaluate_weights

        assert isinstance(settings, PileupEvaluationSettings)
        return evaluate_weights(answers, dataset, settings, services)

    def draw_model(self, drawing: Drawing, dataset: Dataset, folder: Path) -> Sequence[Picture]:
        """Draw distributions of responses and of weights."""
        from l1distill.tasks.pileup.model_plots import draw_model

        curves = drawing.evaluations[drawing.primary].curves
        return draw_model(curves, drawing.model, folder)

    def comparison(
        self, teacher: Mapping[str, float], student: Mapping[str, float]
    ) -> Sequence[Table]:
        """Compare resolutions of missing momentum and of jets."""
        from l1distill.tasks.pileup.comparison import tables

        return tables(student)

    def firmware_in_papers(self) -> PublishedFirmware:
        """Return QDistillNet's row of table 3."""
        from l1distill.tasks.pileup.published_firmware import QDISTILLNET

        return QDISTILLNET

    def describe(self) -> TaskDescription:
        """Return the words of the model card."""
        from l1distill.firmware.results.quantity import Quantity
        from l1distill.tasks.records import TaskDescription

        return TaskDescription(
            title="Pileup weights of particles",
            summary=(
                "A quantized, pruned student network that weights one reconstructed particle at a "
                "time, by how much of it is of the hard collision, distilled by l1distill from a "
                "graph network on whole events."
            ),
            outputs=(Quantity("weight of the particle, from 0 to 1"),),
            limitations=(
                "The numbers of a particle, its PUPPI weight and logarithms among them, are "
                "assumed to be there: no firmware computes them.",
                "Trained and tested on simulated events of one mean number of pileup collisions.",
            ),
        )

    def error_head(self, constants: Path) -> None:
        """Return None: a weight is no reconstruction."""

    def study(self) -> Study:
        """Return the study of Bal et al. 2024."""
        from l1distill.tasks.pileup.study import PileupStudy

        return PileupStudy()


TASK = PileupTask()
