"""What the training split says of each number of a jet: the scale and range of inputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.settings import Constants

STATISTICS = "jet_numbers.json"
_QUANTILE = 0.999


class Statistics(Constants):
    """Names and spread of the numbers of a jet over the training split."""

    names: list[str]
    """Of the numbers, in their order."""
    mean: list[float]
    """Of each."""
    std: list[float]
    """Standard deviation of each; 1 for one that is always the same."""
    largest: list[float]
    """Magnitude that one jet in a thousand is beyond."""
    signed: list[bool]
    """Whether it is negative in a jet."""

    @classmethod
    def fit(cls, jets: NDArray[Any], names: list[str]) -> "Statistics":
        """Measure jets (n, numbers) of the training split."""
        std = jets.std(axis=0, dtype=np.float64)
        return cls(
            names=names,
            mean=jets.mean(axis=0, dtype=np.float64).tolist(),
            std=np.where(std > 0, std, 1.0).tolist(),
            largest=np.quantile(np.abs(jets), _QUANTILE, axis=0).astype(float).tolist(),
            signed=(jets < 0).any(axis=0).tolist(),
        )

    def standardize(self, jets: Any) -> Any:
        """Center and scale jets (n, numbers), of NumPy or TensorFlow."""
        return (jets - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
