"""The firmware's emulator: raw items in, the scores that the FPGA gives out.

It needs no TensorFlow.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from l1distill.data.encoding import InputEncoding
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.tracking.served.scorer import Scorer


class TriggerModel(Scorer, PythonModel):
    """Scaling, then the emulator."""

    def load_context(self, context: Any) -> None:
        """Load both from the logged artifacts."""
        self._encoding = InputEncoding.read(context.artifacts["inputs"])
        self._emulator = Emulator.load(Path(context.artifacts["emulator"]))

    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score features (n, features); a score of at most 24 bits is exact in float32."""
        return self._emulator.predict(inputs).astype(np.float32)


set_model(TriggerModel())
