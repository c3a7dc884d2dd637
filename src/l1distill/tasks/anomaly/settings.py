"""The anomaly task's sections ``data`` and ``teacher`` of the configuration."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from l1distill.core.settings import Settings, entry_of
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.readers.settings import EventFiles
from l1distill.tasks.settings import DataSettings, EvaluationSettings, TeacherSettings
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from typing import Self

Score = Literal["mse", "kl", "rz"]
"""Anomaly scores, section IV: input-output MSE; of a VAE also D_KL (eq. 2) and R_z (eq. 3)."""

Likelihood = Literal["nll", "rank_ht"]
"""Anomaly scores of a density: -log p, a logarithm already, below zero where p is above one; or the
larger of two ranks among the training background, that of -log p and that of HT. A rank is -log of
the share of the background that is as rare, continued as an exponential beyond its last 1%."""
SPANS_MAGNITUDES = frozenset({"mse", "kl", "rz"})
"""Scores above zero that span orders of magnitude: they are learned and drawn as logarithms."""

Width = Annotated[int, Field(gt=0, le=4096)]


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


class AnomalyTeacherSettings(TeacherSettings):
    """What every anomaly teacher has; the architecture decides about the rest."""

    architecture: str
    """What kind of network it is; each has settings of its own."""
    score: str
    """The anomaly score that is handed on to students."""

    @classmethod
    def chosen_by(cls, section: Any) -> type[TeacherSettings]:
        """Return the settings class of the architecture that a section ``teacher`` names.

        Raises:
            ConfigError: there is no such architecture.
        """
        return entry_of(ARCHITECTURES, section, "teacher.architecture", DEFAULT)


class AutoencoderSettings(AnomalyTeacherSettings):
    """Which autoencoder, and how it is trained."""

    architecture: Literal["dnn_ae", "dnn_vae", "cnn_ae", "cnn_vae"] = "cnn_ae"
    """Dense or convolutional, variational (VAE) or not."""
    widths: tuple[Width, Width] = (16, 32)
    """Nodes of the encoder's two dense layers, or filters of its two convolutions; the decoder
    mirrors them."""
    latent: Width = 8
    """Size of the latent space."""
    beta: float | None = Field(default=None, ge=0, le=1)
    """Weight of D_KL in a VAE's loss (eq. 1); null for a plain autoencoder."""
    presence: float = Field(default=0.0, ge=0)
    """Weight of the presence term, beside the MSE in the loss and in the score ``mse``: the mean
    over the 19 objects of the cross-entropy [nat] of which are there. 0: the MSE alone, which is
    blind to that."""
    score: Score = "mse"
    """The anomaly score that is handed on to students."""
    training: TrainingSettings = TrainingSettings()
    """How the autoencoder is trained."""

    @property
    def variational(self) -> bool:
        """Whether it is a VAE."""
        return self.architecture.endswith("vae")

    @model_validator(mode="after")
    def _fit_together(self) -> "Self":
        if self.variational and self.beta is None:
            raise ValueError(f"{self.architecture} needs a beta between 0 and 1")
        if not self.variational and self.beta is not None:
            raise ValueError(f"{self.architecture} has no D_KL to weigh: set beta=null")
        if not self.variational and self.score != "mse":
            raise ValueError(f"score={self.score} needs a VAE; {self.architecture} has only mse")
        return self


class AutoregressiveSettings(AnomalyTeacherSettings):
    """A density of events, object by object, and how it is trained."""

    architecture: Literal["autoregressive"] = "autoregressive"
    """A masked network: what it expects of an object depends on those before it alone."""
    slot_width: Annotated[int, Field(gt=0, le=256)] = 16
    """Numbers of each of the 19 objects in a hidden layer."""
    layers: Annotated[int, Field(gt=0, le=16)] = 2
    """Hidden layers."""
    components: Annotated[int, Field(gt=0, le=64)] = 6
    """Components of the mixture that pT, eta and phi of an object are expected from."""
    dropout: float = Field(default=0.03, ge=0, lt=1)
    """Share of hidden numbers that are left out in a training step."""
    flips: bool = True
    """Whether events are mirrored in eta and in phi by chance while it is trained."""
    members: Annotated[int, Field(ge=1, le=16)] = 1
    """Networks that are trained one after the other, each with a seed of its own, from ``seed``;
    the density is the mean of theirs."""
    density: Literal["pt", "log_pt"] = "pt"
    """What the density is of: in pT, a steep spectrum makes an energetic object a rare one."""
    score: Likelihood = "nll"
    """The anomaly score that is handed on to students: -log of the density, or ranks with HT."""
    training: TrainingSettings = TrainingSettings(learning_rate=0.004)
    """How the density is trained."""


DEFAULT = "cnn_ae"
"""The architecture of a configuration that names none."""
ARCHITECTURES: Mapping[str, type[AnomalyTeacherSettings]] = {
    "dnn_ae": AutoencoderSettings,
    "dnn_vae": AutoencoderSettings,
    "cnn_ae": AutoencoderSettings,
    "cnn_vae": AutoencoderSettings,
    "autoregressive": AutoregressiveSettings,
}
"""The settings of each architecture; :mod:`.architectures` has the teachers."""


class ReferenceTriggers(Settings):
    """Triggers that are there already: an event that one of them takes is not pure."""

    lepton_pt_min_gev: float | None = Field(default=36.0, gt=0)
    """Threshold on pT of the leading electron or muon [GeV]; null to leave the trigger out."""
    ht_min_gev: float | None = Field(default=360.0, gt=0)
    """Threshold on HT, the scalar sum of the jets' pT [GeV]; null to leave the trigger out."""
    met_min_gev: float | None = Field(default=100.0, gt=0)
    """Threshold on the missing transverse energy [GeV]; null to leave the trigger out."""


class AnomalyEvaluationSettings(EvaluationSettings):
    """What a trigger's rate is counted from, and what is triggered on without it."""

    input_rate_khz: float = Field(default=0.5, gt=0)
    """Rate of events like the background at the algorithm's input [kHz]; the default is that of the
    leptons that the data's filter asks for, at 2e34 per cm2 and s."""
    triggers: ReferenceTriggers = ReferenceTriggers()
    """The reference triggers."""
