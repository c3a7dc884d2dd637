"""What all logged models have in common: raw items are encoded, then scored."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.encoding import InputEncoding


class Scorer(ABC):
    """Mixed into MLflow's ``PythonModel``.

    ``predict`` stands here and without type hints: MLflow inspects the methods of the model's own
    class and would read hints as the schema of a table.
    """

    _encoding: InputEncoding

    @abstractmethod
    def score(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score features (n, features); returns (n, outputs)."""

    def predict(self, context: Any, model_input, params=None):  # type: ignore[no-untyped-def]
        """Score raw items (n, ...); returns (n,), or (n, outputs) of several outputs.

        Items of the anomaly task are events (n, 19, 3): pT [GeV], eta, phi [rad]; an array of any
        type of number, or a nested list as MLflow's scoring server has it.

        Raises:
            ValueError: an item has another shape, a negative pT, or a number that is not finite.
        """
        items = np.asarray(model_input)
        if items.dtype.kind not in "fiu":
            raise ValueError("events must be numbers, and all of one shape")
        self._encoding.check(items)
        scores = self.score(self._encoding.apply(items))
        return scores[:, 0] if scores.shape[1] == 1 else scores
