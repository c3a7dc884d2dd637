"""The jets task's sections of the configuration."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.readers.settings import JetTables
from l1distill.tasks.settings import (
    DataSettings,
    EncodingSettings,
    EvaluationSettings,
    TeacherSettings,
)

if TYPE_CHECKING:
    from typing import Self

Width = Annotated[int, Field(gt=0, le=1024)]


class JetsDataSettings(DataSettings):
    """The data set: generated, or made from files of the user's."""

    generator: GeneratorSettings | None = None
    """Collisions, detector and jets; null where jets come from files."""
    files: JetTables | None = None
    """Files of jets; null where they are generated."""

    @model_validator(mode="after")
    def _one_source(self) -> "Self":
        if (self.generator is None) == (self.files is None):
            raise ValueError("give generator or files: jets are generated, or read from files")
        return self


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

    input_rate_khz: float = Field(default=1.08, gt=0)
    """Rate of background jets like those of the data [kHz]."""
    single_features: tuple[str, ...] | None = None
    """Features that are judged by themselves, beside the networks; null: softdrop_mass, d2 and
    displaced_tracks, or where the data has others, its three that separate training jets best."""
