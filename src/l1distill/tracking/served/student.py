"""The student as QKeras trained it: raw events (n, 19, 3) in, scores (n,) out."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from l1distill.models.preprocessing import InputScaling


class StudentModel(PythonModel):
    """Scaling, then the QKeras network."""

    def load_context(self, context: Any) -> None:
        """Loads both from the logged artifacts."""
        from l1distill.models.keras_files import load

        self._scaling = InputScaling.read(context.artifacts["inputs"])
        self._network = load(context.artifacts["student"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Scores raw events; without type hints, which MLflow would read as a schema."""
        inputs = self._scaling.apply(model_input)
        scores: NDArray[np.float32] = self._network.predict(inputs, batch_size=4096, verbose=0)
        return scores[:, 0]


set_model(StudentModel())
