"""The anomaly task: what stages see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.anomaly.augmentation import PseudoEventSettings
from l1distill.tasks.anomaly.encoding import InputSettings
from l1distill.tasks.anomaly.settings import (
    SPANS_MAGNITUDES,
    AnomalyDataSettings,
    AnomalyEvaluationSettings,
    AnomalyTeacherSettings,
)
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tasks.settings import SettingsTypes

if TYPE_CHECKING:
    from l1distill.data.dataset import Dataset
    from l1distill.data.encoding import InputEncoding
    from l1distill.data.splits import Split
    from l1distill.distillation.open_teacher import OpenTeacher
    from l1distill.distillation.targets import TargetTransform
    from l1distill.evaluation.context import ScoreContext
    from l1distill.evaluation.evaluation import Evaluation
    from l1distill.firmware.functions.error_head import ErrorHead
    from l1distill.registry.card import PublishedFirmware
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.reporting.tables import Table
    from l1distill.tasks.records import Answers, Drawing, GenerationServices, TaskDescription
    from l1distill.tasks.settings import (
        AugmentationSettings,
        DataSettings,
        EncodingSettings,
        EvaluationSettings,
        TeacherSettings,
    )

EXPECTATIONS = {
    "z_peak_gev": "91.19, the mass of the Z (PDG)",
    "w_jacobian_drop": "leptons at 44-50 over 34-40 GeV: far below 1, the edge at half the W mass",
    "phi_chi2_per_dof": "about 1, flat in phi",
    "met_of_z_pairs_without_jets_gev": "resolution alone: no neutrinos",
    "met_of_z_pairs_with_jets_gev": "larger: the resolution grows with activity",
}
"""What a physicist compares the checks of the data card with."""


class AnomalyTask:
    """Anomaly detection on Level-1 trigger objects (arXiv:2107.02157, arXiv:2108.03986).

    Each method imports what it alone needs, so that a stage depends on nothing else: another
    architecture of the teacher leaves the data as they are.
    """

    name = "anomaly"
    settings = SettingsTypes(
        data=AnomalyDataSettings,
        teacher=AnomalyTeacherSettings,
        encoding=InputSettings,
        evaluation=AnomalyEvaluationSettings,
        augmentation=PseudoEventSettings,
    )

    def check_sources(self, settings: DataSettings) -> None:
        """Refuse files that are not named or not there."""
        from l1distill.tasks.anomaly.generation import check_sources

        assert isinstance(settings, AnomalyDataSettings)
        check_sources(settings)

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        """Make events with PYTHIA, or import those of the user's files."""
        from l1distill.tasks.anomaly.generation import make_dataset

        assert isinstance(settings, AnomalyDataSettings)
        return make_dataset(settings, folder, services)

    def open(self, folder: Path) -> Dataset:
        """Open a data set of events (n, 19, 3)."""
        from l1distill.tasks.anomaly.dataset import open_dataset

        return open_dataset(folder)

    def data_notes(self) -> DataNotes:
        """Return what to expect of the checks, and the published AUC of the CNN AE."""
        from l1distill.reporting.data_page import DataNotes
        from l1distill.tasks.anomaly import published

        return DataNotes(
            expectations=EXPECTATIONS,
            published_auc=published.AUC,
            published_in=published.PAPER,
        )

    def constants(self) -> Sequence[str]:
        """Name the standardization of pT over the training split."""
        return (STANDARDIZATION,)

    def teacher(self, settings: TeacherSettings, constants: Path) -> OpenTeacher:
        """Return the teacher of the architecture."""
        from l1distill.tasks.anomaly.architectures import make_teacher

        assert isinstance(settings, AnomalyTeacherSettings)
        return make_teacher(settings, Standardization.read(constants / STANDARDIZATION))

    def handed_on(self, settings: TeacherSettings) -> str:
        """Return the anomaly score that students learn."""
        assert isinstance(settings, AnomalyTeacherSettings)
        return settings.score

    def training_arrays(self, dataset: Dataset, split: Split) -> Sequence[NDArray[Any]]:
        """Return the events: their reconstruction is its own target."""
        return [dataset.training.part(split)]

    def encoding(self, settings: EncodingSettings, constants: Path) -> InputEncoding:
        """Return pT in units of each slot, eta and phi."""
        from l1distill.tasks.anomaly.encoding import fit_encoding

        assert isinstance(settings, InputSettings)
        return fit_encoding(Standardization.read(constants / STANDARDIZATION), settings)

    def pseudo_items(self) -> float:
        """Return 4, with which students say of signals what their teacher says."""
        return 4.0

    def augment(
        self,
        items: NDArray[Any],
        number: int,
        settings: AugmentationSettings,
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return background events with objects added, overlaid, scaled and rotated."""
        from l1distill.tasks.anomaly.augmentation import pseudo_events

        assert isinstance(settings, PseudoEventSettings)
        return pseudo_events(items.astype(np.float32, copy=False), number, settings, rng)

    def topologies(self, items: NDArray[Any]) -> Mapping[str, NDArray[np.bool_]]:
        """Return which events have three leptons or more, and which three jets or more."""
        from l1distill.tasks.anomaly.augmentation import topologies

        return topologies(items)

    def check_answers(self, answers: NDArray[Any], name: str) -> str | None:
        """Refuse scores of another shape, and those that need a logarithm and have none."""
        if name not in SPANS_MAGNITUDES:
            return None if answers.ndim == 1 else "scores must be (n,) and finite"
        if answers.ndim != 1 or not (answers > 0).all():
            return "scores must be (n,), finite and above zero"
        return None

    def fit_target(self, answers: NDArray[np.floating[Any]], name: str) -> TargetTransform:
        """Return the standardized logarithm of the score, or the score if it is one already."""
        from l1distill.distillation.targets import TargetTransform

        if name in SPANS_MAGNITUDES:
            return TargetTransform.fit_log(answers)
        return TargetTransform.fit_linear(answers)

    def evaluate(self, answers: Answers, dataset: Dataset) -> Evaluation:
        """Return AUC, TPR and ROC curve of each signal."""
        from l1distill.tasks.anomaly.evaluation import evaluate

        return evaluate(answers, dataset)

    def score_context(self, settings: EvaluationSettings, dataset: Dataset) -> ScoreContext:
        """Return HT and other trivial scores, the reference triggers, and the input rate."""
        from l1distill.tasks.anomaly.score_context import make_context

        assert isinstance(settings, AnomalyEvaluationSettings)
        return make_context(settings, dataset)

    def draw_model(self, drawing: Drawing, dataset: Dataset, folder: Path) -> Sequence[Picture]:
        """Draw score distributions, ROC curves and the most anomalous events."""
        from l1distill.tasks.anomaly.pictures import draw_model

        return draw_model(drawing, dataset, folder)

    def comparison(
        self, teacher: Mapping[str, float], student: Mapping[str, float]
    ) -> Sequence[Table]:
        """Compare at the working point, with the published AUC, and with trivial scores."""
        from l1distill.tasks.anomaly.comparison import compare

        return compare(teacher, student)

    def firmware_in_papers(self) -> PublishedFirmware:
        """Return the teachers of arXiv:2108.03986 in firmware."""
        from l1distill.tasks.anomaly.published_firmware import teachers_in_firmware

        return teachers_in_firmware()

    def describe(self) -> TaskDescription:
        """Return the words of the model card."""
        from l1distill.firmware.results.quantity import Quantity
        from l1distill.tasks.records import TaskDescription

        return TaskDescription(
            title="Anomaly trigger",
            summary=(
                "A quantized, pruned student network that regresses the anomaly score of a large "
                "teacher autoencoder, distilled by l1distill."
            ),
            outputs=(Quantity("log of the teacher's score, standardized over the background"),),
            limitations=(
                "Absent objects are zeros. pT is given in the units above, in powers of two, which "
                "only move the binary point; constants/inputs.json has them.",
                "The score says how unlike the background of that data set an event is, as its "
                "teacher sees it; what the data leave out stands in their card.",
            ),
        )

    def error_head(self, constants: Path) -> ErrorHead | None:
        """Return the reconstruction error that ``score.kind=mse`` puts behind an autoencoder."""
        from l1distill.tasks.anomaly.reconstruction import ObjectsErrorHead

        path = constants / STANDARDIZATION
        if not path.is_file():
            return None
        return ObjectsErrorHead(standardization=Standardization.read(path))

    def study(self) -> Any:
        """Return the study of arXiv:2108.03986."""
        from l1distill.tasks.anomaly.study_pages import AutoencoderStudy

        return AutoencoderStudy()


TASK = AnomalyTask()
