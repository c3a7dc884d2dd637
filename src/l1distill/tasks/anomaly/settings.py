"""The anomaly task's section ``data`` of the configuration."""

from pydantic import model_validator

from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.readers.settings import EventFiles
from l1distill.tasks.base import DataSettings


class AnomalyDataSettings(DataSettings):
    """The data set: generated, or made from files of the user's."""

    generator: GeneratorSettings | None = None
    """PYTHIA, pileup and detector; null where events come from files."""
    files: EventFiles | None = None
    """Files of events; null where events are generated."""

    @model_validator(mode="after")
    def _one_source(self) -> "AnomalyDataSettings":
        if (self.generator is None) == (self.files is None):
            raise ValueError("events come from data.generator or from data.files; choose one data=")
        return self
