"""What the models that we log have in common: raw events are scaled, then scored."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.tasks.anomaly.encoding import InputScaling


class Scorer(ABC):
    """Mixed into MLflow's ``PythonModel``.

    ``predict`` stands here and without type hints: MLflow inspects the methods of the model's own
    class and would read hints as the schema of a table.
    """

    _scaling: InputScaling

    @abstractmethod
    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores scaled inputs (n, 57); returns (n,)."""

    def predict(self, context: Any, model_input, params=None):  # type: ignore[no-untyped-def]
        """Scores raw events (n, 19, 3): pT [GeV], eta, phi; returns (n,)."""
        return self.score(self._scaling.apply(model_input))
