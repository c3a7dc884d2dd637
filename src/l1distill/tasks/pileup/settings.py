"""The pileup task's sections of the configuration."""

from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.graph_settings import GraphSettings
from l1distill.tasks.pileup.responses import ResponseSettings
from l1distill.tasks.settings import (
    DataSettings,
    EncodingSettings,
    EvaluationSettings,
    TeacherSettings,
)


class PileupDataSettings(DataSettings):
    """The data set, which PYTHIA makes."""

    generator: GeneratorSettings = GeneratorSettings()
    """Collisions, pileup and detector."""
    responses: ResponseSettings = ResponseSettings()
    """Which events and jets the checks of the data card are made with."""


class PileupTeacherSettings(GraphSettings, TeacherSettings):
    """A network of edge convolutions with attention on whole events."""


class PileupInputSettings(EncodingSettings):
    """Which numbers of a particle a student reads."""

    names: tuple[str, ...] = ()
    """Those of :data:`.particles.NUMBERS` by name, in this order; empty: all."""


class PileupEvaluationSettings(EvaluationSettings, ResponseSettings):
    """Which events and jets models are compared with PUPPI on."""
