"""The student as QKeras trained it: raw items in, scores out."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from l1distill.data.encoding import InputEncoding
from l1distill.tracking.served.scorer import Scorer


class StudentModel(Scorer, PythonModel):
    """Scaling, then the QKeras network."""

    def load_context(self, context: Any) -> None:
        """Load both from the logged artifacts."""
        from l1distill.models.keras_files import load

        self._encoding = InputEncoding.read(context.artifacts["inputs"])
        self._network = load(context.artifacts["student"])

    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score features (n, features)."""
        scores: NDArray[np.float32] = self._network.predict(inputs, batch_size=4096, verbose=0)
        return scores


set_model(StudentModel())
