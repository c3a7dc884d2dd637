"""The firmware's emulator: raw events (n, 19, 3) in, the scores (n,) that the FPGA gives out.

It needs no TensorFlow.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from l1distill.firmware.emulator import Emulator
from l1distill.models.preprocessing import InputScaling


class TriggerModel(PythonModel):
    """Scaling, then the emulator."""

    def load_context(self, context: Any) -> None:
        """Loads both from the logged artifacts."""
        self._scaling = InputScaling.read(context.artifacts["inputs"])
        self._emulator = Emulator.load(Path(context.artifacts["emulator"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Scores raw events; without type hints, which MLflow would read as a schema."""
        inputs = self._scaling.apply(model_input)
        return self._emulator.predict(inputs)[:, 0].astype(np.float32)


set_model(TriggerModel())
