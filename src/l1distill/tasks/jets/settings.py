"""The jets task's section ``data`` of the configuration."""

from l1distill.tasks.base import DataSettings
from l1distill.tasks.jets.generator.settings import GeneratorSettings


class JetsDataSettings(DataSettings):
    """The data set, which PYTHIA makes."""

    generator: GeneratorSettings = GeneratorSettings()
    """Collisions, detector and jets."""
