"""The anomaly task's sections ``data`` and ``teacher`` of the configuration."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from l1distill.core.settings import Settings
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.readers.settings import EventFiles
from l1distill.tasks.base import DataSettings, EvaluationSettings, TeacherSettings
from l1distill.training.settings import TrainingSettings

if TYPE_CHECKING:
    from typing import Self

Score = Literal["mse", "kl", "rz"]
"""Anomaly scores, section IV: input-output MSE; of a VAE also D_KL (eq. 2) and R_z (eq. 3)."""

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


class AutoencoderSettings(TeacherSettings):
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
