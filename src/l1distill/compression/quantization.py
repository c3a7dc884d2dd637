"""How a teacher is brought to fixed point."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.training.settings import TrainingSettings


class QuantizationSettings(Settings):
    """Method and number of bits (Govorkova et al., arXiv:2108.03986, section VI)."""

    method: Literal["ptq", "qat"] = "ptq"
    """``ptq`` rounds a trained teacher, ``qat`` trains it on with its numbers rounded."""
    bits: int = Field(default=8, ge=2, le=16)
    """Bits of every weight, bias and activation."""
    calibration: int = Field(default=2048, ge=100)
    """Events of the training split that ranges are chosen on."""
    verified: int = Field(default=1000, ge=0)
    """Events on which hls4ml's C simulation is compared with the network; 0 for none."""
    time_limit_s: float = Field(default=1200.0, gt=0)
    """Time limit of the compilation of that simulation [s]."""
    training: TrainingSettings = TrainingSettings(
        epochs=30, batch_size=256, learning_rate=0.001, patience=5
    )
    """Training of ``qat``."""
