"""The firmware's emulator: raw events (n, 19, 3) in, the scores (n,) that the FPGA gives out.

It needs no TensorFlow.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from l1distill.firmware.emulator.emulator import Emulator
from l1distill.tasks.anomaly.encoding import InputScaling
from l1distill.tracking.served.scorer import Scorer


class TriggerModel(Scorer, PythonModel):
    """Scaling, then the emulator."""

    def load_context(self, context: Any) -> None:
        """Loads both from the logged artifacts."""
        self._scaling = InputScaling.read(context.artifacts["inputs"])
        self._emulator = Emulator.load(Path(context.artifacts["emulator"]))

    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores scaled inputs; a score of at most 24 bits is exact in float32."""
        return self._emulator.predict(inputs)[:, 0].astype(np.float32)


set_model(TriggerModel())
