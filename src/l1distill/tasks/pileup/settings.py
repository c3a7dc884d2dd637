"""The pileup task's sections of the configuration."""

from l1distill.tasks.base import DataSettings
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.responses import ResponseSettings


class PileupDataSettings(DataSettings):
    """The data set, which PYTHIA makes."""

    generator: GeneratorSettings = GeneratorSettings()
    """Collisions, pileup and detector."""
    responses: ResponseSettings = ResponseSettings()
    """Which events and jets the checks of the data card are made with."""
