"""The jets task: what stages see of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.tasks.base import EncodingSettings, SettingsTypes, TeacherSettings
from l1distill.tasks.jets.settings import JetsDataSettings

if TYPE_CHECKING:
    from l1distill.data.dataset import Dataset
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.tasks.base import DataSettings, GenerationServices


class JetsTask:
    """Boosted H -> bb jets against QCD.

    Each method imports what it alone needs. So far the task makes data: it has no teacher yet.
    """

    name = "jets"
    settings = SettingsTypes(
        data=JetsDataSettings, teacher=TeacherSettings, encoding=EncodingSettings
    )

    def check_sources(self, settings: DataSettings) -> None:
        """Accept any settings: PYTHIA makes the jets."""

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        """Make jets with PYTHIA."""
        from l1distill.tasks.jets.generation import make_dataset

        assert isinstance(settings, JetsDataSettings)
        return make_dataset(settings, folder, services)

    def open(self, folder: Path) -> Dataset:
        """Open a data set of jets (n, 102)."""
        from l1distill.tasks.jets.dataset import open_dataset

        return open_dataset(folder)

    def data_notes(self) -> DataNotes:
        """Return what to expect of the checks."""
        from l1distill.reporting.data_page import DataNotes
        from l1distill.tasks.jets.checks import EXPECTATIONS

        return DataNotes(expectations=EXPECTATIONS)

    def constants(self) -> Sequence[str]:
        """Name no file: features are as the data set has them."""
        return ()


TASK = JetsTask()
