"""The jets task's sections of the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from l1distill.tasks.base import (
    DataSettings,
    EncodingSettings,
    EvaluationSettings,
    TeacherSettings,
)
from l1distill.tasks.jets.generator.settings import GeneratorSettings

Width = Annotated[int, Field(gt=0, le=1024)]


class JetsDataSettings(DataSettings):
    """The data set, which PYTHIA makes."""

    generator: GeneratorSettings = GeneratorSettings()
    """Collisions, detector and jets."""


class JetsTeacherSettings(TeacherSettings):
    """A classifier of jets, trained with labels."""

    architecture: Literal["deep_set", "dense"] = "deep_set"
    """``deep_set``: the same network on each constituent, its means beside the features. ``dense``:
    on the features alone."""
    widths: tuple[Width, ...] = Field(default=(64, 64), min_length=1)
    """Nodes of the hidden layers; of a deep set, both on constituents and behind their means."""
    features: bool = True
    """Whether a deep set sees the features beside the constituents."""


class JetsInputSettings(EncodingSettings):
    """Which numbers of a jet a student reads."""

    inputs: Literal["features", "constituents"] = "features"
    """The features, or the numbers of the hardest constituents."""
    names: tuple[str, ...] = ()
    """Those of them by name, in this order; empty: all."""


class JetsEvaluationSettings(EvaluationSettings):
    """What a trigger's rate is counted from."""

    input_rate_khz: float = Field(default=0.73, gt=0)
    """Rate of QCD jets like those of the data [kHz]."""
