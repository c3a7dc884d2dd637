"""The pileup task: what stages see of it. It makes and shows data; it has no teacher yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.tasks.base import EncodingSettings, SettingsTypes, TeacherSettings
from l1distill.tasks.pileup.settings import PileupDataSettings

if TYPE_CHECKING:
    from l1distill.data.dataset import Dataset
    from l1distill.reporting.data_page import DataNotes
    from l1distill.reporting.pictures import Picture
    from l1distill.tasks.base import DataSettings, GenerationServices


class PileupTask:
    """Weights that tell the hard collision's particles from those of pileup.

    Each method imports what it alone needs.
    """

    name = "pileup"
    settings = SettingsTypes(
        data=PileupDataSettings, teacher=TeacherSettings, encoding=EncodingSettings
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
        """Open a data set; its items are events."""
        from l1distill.tasks.pileup.dataset import open_dataset

        return open_dataset(folder)

    def data_notes(self) -> DataNotes:
        """Return what to expect of the checks."""
        from l1distill.reporting.data_page import DataNotes
        from l1distill.tasks.pileup.checks import EXPECTATIONS

        return DataNotes(expectations=EXPECTATIONS)

    def constants(self) -> Sequence[str]:
        """Name no file: nothing is measured on the training split yet."""
        return ()


TASK = PileupTask()
