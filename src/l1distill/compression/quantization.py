"""How a teacher is brought to fixed point."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.training.settings import TrainingSettings


class QuantizationSettings(Settings):
    """Which way, and how many bits.

    Attributes:
        method: ``ptq`` rounds a trained teacher, ``qat`` trains it on with its numbers rounded
            (Govorkova et al., section VI).
        bits: of every number.
        calibration: events of the training split that ranges are chosen on.
        verified: events on which hls4ml's C simulation is held against the network; 0: none.
        time_limit_s: for the compilation of that simulation.
        training: of ``qat``.
    """

    method: Literal["ptq", "qat"]
    bits: int = Field(ge=2, le=16)
    calibration: int = Field(ge=100)
    verified: int = Field(ge=0)
    time_limit_s: float = Field(gt=0)
    training: TrainingSettings
